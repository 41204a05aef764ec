// The man pages (man(7) macros) and the manual's chapter on configuration.
#include <array>
#include <set>

#include "app/help.h"
#include "app/help_words.h"
#include "app/options.h"
#include "app/providers.h"

namespace sotto {

namespace {

constexpr std::array<std::string_view, 3> durations_words{
    "Durations are strings with a unit: \"250ms\", \"4.5s\", \"1m\", \"1h\", \"1d\". Sizes are "
    "strings with a unit, \"512KiB\", \"128MiB\", \"1GiB\", or numbers of octets.",
    "A relative file name starts at the directory of the configuration file.",
    "An unknown key, a wrong type or a value out of range is an error with its line and column; "
    "nothing starts until all of them are right."};

constexpr std::string_view precedence_words =
    "The command line goes before the environment, the environment before the file, the file "
    "before "
    "the defaults. A list given on the command line or in the environment replaces the file's "
    "list. "
    "An environment variable that is empty counts as unset. SIGHUP reads everything again: what "
    "does not need a restart takes effect without losing a query, what does is named in the log, "
    "and "
    "a wrong file changes nothing.";

constexpr std::string_view section_words(std::string_view section) {
  if (section == "listen") return "Where clients are answered.";
  if (section == "listener") {
    return "What belongs to one address only. A listener in [listen] may be a table of these keys "
           "in place of a string, https = [{ address = \"192.0.2.1:443\", path = \"/dns\" }], or a "
           "section: [[listen.https]] and the keys below.";
  }
  if (section == "upstream") {
    return "Each [[upstream]] is one resolver. [upstream_default] takes the same keys but url and "
           "group, for all upstreams that do not set them, built-in and command-line ones and "
           "bootstrap servers too. Without any [[upstream]] there are two, each a group of its "
           "own: cloudflare, then quad9.";
  }
  if (section == "group") {
    return "Upstreams of equal policy. Groups are tried in the order of their [[group]] sections: "
           "the next one when all upstreams of those before it fail. A group that only upstreams "
           "name needs no section; it comes after those that have one.";
  }
  if (section == "hedge") return "Late queries are asked elsewhere too, within a budget.";
  if (section == "health") return "How upstreams are asked whether they work.";
  if (section == "tls") return "TLS towards the upstreams.";
  if (section == "server_tls") return "TLS towards clients: listen.tls and listen.https.";
  if (section == "policy") return "Who may ask, and what is answered here.";
  if (section == "discovery") {
    return "How clients of plain DNS learn that they can ask here encrypted.";
  }
  if (section == "cache") {
    return "Answers kept in memory, shared by all workers. What is kept, for how long and what "
           "happens in an outage is in the manual's chapter on the cache.";
  }
  if (section == "cache.stale") return "Expired answers for when nothing better can be had.";
  if (section == "control") return "How sotto cache and sotto upstreams reach the running sotto.";
  if (section == "tcp") return "Limits on clients' TCP connections.";
  if (section == "log") return "What is told, and how.";
  return "These stand at the top of the file, before the first section.";
}

std::string heading(const Option& option) {
  if (option.of_listener()) return std::string(option.section());
  if (option.of_list()) return "[[" + std::string(option.section()) + "]]";
  return option.section().empty() ? "" : "[" + std::string(option.section()) + "]";
}

// The same in the option table's words: type, range, default, restart, flag and variable.
std::vector<std::string> facts(const Option& option) {
  std::vector<std::string> lines;
  std::string type = option.type_text();
  if (const std::string range = option.range_text(); !range.empty()) type += ", " + range;
  lines.push_back("Type: " + type + ".");
  lines.push_back("Default: " + std::string(option.standard) + ".");
  lines.push_back(option.applies == Option::Applies::on_restart ? "A change needs a restart."
                                                                : "A reload applies a change.");
  if (!option.flag.empty()) {
    lines.push_back("Also: " + std::string(option.flag) + ", " + std::string(option.environment) +
                    ".");
  }
  return lines;
}

// --- man(7)

// Backslashes, hyphens that are typed, and dots that would be requests.
std::string roff(std::string_view text) {
  std::string out;
  for (const char character : text) {
    if (character == '\\') {
      out += "\\e";
    } else if (character == '-') {
      out += "\\-";
    } else {
      out += character;
    }
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

std::string paragraph(std::string_view text) {
  return roff(text) + "\n";
}

std::string man_rows(std::string_view title, const std::vector<HelpRow>& rows) {
  std::string out = ".SH " + std::string(title) + "\n";
  for (const HelpRow& row : rows) {
    out += ".TP\n.B \"" + roff(row.term) + "\"\n" + paragraph(row.text);
  }
  return out;
}

std::string man_head(std::string_view name, std::string_view number, std::string_view about) {
  std::string title(name);
  for (char& character : title) {
    if (character >= 'a' && character <= 'z') character = static_cast<char>(character - 'a' + 'A');
  }
  return ".\\\" Made from the option table: cmake --build BUILD --target docs\n.TH " + title + " " +
         std::string(number) + " \"\" \"" + version_text() + "\"\n.SH NAME\n" + roff(name) +
         " \\- " + roff(about) + "\n";
}

std::string man_sotto() {
  std::string out = man_head("sotto", "1", "encrypted-DNS forwarder");
  out += ".SH SYNOPSIS\n";
  for (const HelpRow& row : command_rows()) out += ".B " + roff(row.term) + "\n.br\n";
  out += ".SH DESCRIPTION\n" +
         paragraph(
             "sotto answers DNS over UDP, TCP, TLS and HTTPS by asking resolvers over "
             "authenticated TLS (RFC 7858, strict profile of RFC 8310). Nothing leaves "
             "unencrypted: when no upstream can be authenticated, clients get SERVFAIL with the "
             "reason (RFC 8914). Without any configuration it listens on 127.0.0.1:5053 and "
             "[::1]:5053 over UDP and TCP, and asks Cloudflare, then Quad9.");
  out += man_rows("COMMANDS", command_rows());
  out += man_rows("OPTIONS", config_flag_rows());
  out +=
      ".SH \"QUERY\"\n" + paragraph(query_words_help) +
      paragraph(
          "The answer is shown in the presentation format, with flags, EDNS, extended errors, the "
          "connection's TLS and the time it took. Over UDP the query is repeated, and a truncated "
          "answer "
          "is asked for again over TCP.");
  out += man_rows("\"QUERY OPTIONS\"", query_flag_rows());
  out += man_rows("CACHE", cache_command_rows()) + ".PP\n" + paragraph(cache_words_help);
  out += man_rows("\"CACHE OPTIONS\"", cache_flag_rows());
  out += ".SH UPSTREAMS\n" + paragraph(upstreams_words_help);
  out += man_rows("\"UPSTREAMS OPTIONS\"", upstreams_flag_rows());
  out += man_rows("ENVIRONMENT", environment_rows());
  out += ".SH FILES\n.TP\n.B /etc/sotto/sotto.toml\n" +
         paragraph("Read if it exists and no other file is named; see sotto.toml(5).") +
         ".TP\n.B /run/sotto/control.socket\n" +
         paragraph(
             "The control socket, where root or systemd starts sotto; see control.socket in "
             "sotto.toml(5).") +
         ".TP\n.B $XDG_RUNTIME_DIR/sotto/control.socket\n" +
         paragraph("The control socket, where another user starts sotto.") +
         ".TP\n.B /var/cache/sotto\n" +
         paragraph(
             "A directory for cache.file, which is off by default; the systemd service and the "
             "container image have it.") +
         ".TP\n.B /var/lib/sotto\n" +
         paragraph(
             "A directory for state_directory and tls.ticket_file, which are off by default; the "
             "systemd service and the container image have it.");
  out += man_rows("SIGNALS", signal_rows());
  out += man_rows("\"EXIT STATUS\"", exit_code_rows());
  out += ".PP\n" + paragraph("sotto query exits with:");
  for (const HelpRow& row : query_exit_code_rows()) {
    out += ".TP\n.B " + row.term + "\n" + paragraph(row.text);
  }
  out += ".PP\n" + paragraph("sotto cache exits with:");
  for (const HelpRow& row : cache_exit_code_rows()) {
    out += ".TP\n.B " + row.term + "\n" + paragraph(row.text);
  }
  out += ".PP\n" + paragraph("sotto upstreams exits with:");
  for (const HelpRow& row : upstreams_exit_code_rows()) {
    out += ".TP\n.B " + row.term + "\n" + paragraph(row.text);
  }
  out += ".SH EXAMPLES\n";
  std::set<std::string> shown;  // sotto --help and sotto query --help share one
  for (const auto& rows :
       {example_rows(), query_example_rows(), cache_example_rows(), upstreams_example_rows()}) {
    for (const HelpRow& row : rows) {
      if (!shown.insert(row.term).second) continue;
      out += ".TP\n.B \"" + roff(row.term) + "\"\n" + paragraph(row.text);
    }
  }
  return out + ".SH \"SEE ALSO\"\n.BR sotto.toml (5)\n";
}

constexpr std::string_view example_file = R"(query_timeout = "4.5s"

[listen]
udp = ["0.0.0.0:53", "[::]:53"]        # tcp follows

[[upstream]]
url = ["tls://192.0.2.1#dns.example", "tls://[2001:db8::1]#dns.example"]
ca_file = "/etc/sotto/dns-example-ca.pem"
group = "own"

[[upstream]]
url = "quad9"
group = "public"

[[group]]
name = "own"

[[group]]                              # when all of the first one fail
name = "public"

[policy]
allow = ["127.0.0.0/8", "::1", "10.0.0.0/8"]
)";

std::string man_sotto_toml() {
  std::string out = man_head("sotto.toml", "5", "configuration of sotto");
  out += ".SH DESCRIPTION\n" + paragraph(
                                   "The file is TOML. Every key has a default, and sotto runs "
                                   "without a file.");
  for (const std::string_view words : durations_words) out += ".PP\n" + paragraph(words);
  out += ".PP\n" + paragraph(precedence_words);
  out += ".PP\n" + paragraph("sotto check prints the configuration as it takes effect.");
  std::string_view section = "none yet";
  for (const Option& option : options()) {
    if (option.section() != section) {
      section = option.section();
      const std::string title = heading(option);
      out += ".SH \"" + (title.empty() ? std::string("TOP OF THE FILE") : title) + "\"\n" +
             paragraph(section_words(section));
    }
    out += ".TP\n.B " + roff(option.leaf()) + "\n" + paragraph(option.help);
    for (const std::string& fact : facts(option)) out += ".br\n" + paragraph(fact);
  }
  std::string example;
  for (const char character : example_file) {
    example += character == '-' ? "\\-" : std::string(1, character);
  }
  return out + ".SH EXAMPLE\n.nf\n" + example + ".fi\n.SH \"SEE ALSO\"\n.BR sotto (1)\n";
}

// --- Markdown

std::string markdown_table(const std::vector<HelpRow>& rows) {
  std::string out = "| | |\n|---|---|\n";
  for (const HelpRow& row : rows) out += "| `" + row.term + "` | " + row.text + " |\n";
  return out;
}

std::string manual_configuration() {
  std::string out =
      "<!-- Made from the option table: cmake --build BUILD --target docs -->\n"
      "# Configuration\n\n"
      "Every key has a default, and sotto runs without a file. `sotto check` prints the "
      "configuration as it takes effect, or every error in it.\n\n" +
      std::string(precedence_words) + "\n\n## A file\n\n```toml\n" + std::string(example_file) +
      "```\n\n";
  for (const std::string_view words : durations_words) out += std::string(words) + "\n\n";
  std::string_view section = "none yet";
  for (const Option& option : options()) {
    if (option.section() != section) {
      section = option.section();
      const std::string title = heading(option);
      out += "## " + (title.empty() ? std::string("Top of the file") : "`" + title + "`") + "\n\n" +
             std::string(section_words(section)) + "\n\n";
    }
    out += "### `" + std::string(option.leaf()) + "`\n\n" + std::string(option.help) + "\n\n";
    for (const std::string& fact : facts(option)) out += "- " + fact + "\n";
    out += "\n";
  }
  out +=
      "## Providers by name\n\n| name | authentication name | addresses | |\n|---|---|---|---|\n";
  for (const Provider& provider : providers()) {
    out += "| `" + std::string(provider.name) + "` | " + std::string(provider.auth_name) + " | ";
    for (std::size_t i = 0; i < provider.addresses.size(); ++i) {
      out += (i == 0 ? "" : ", ") + std::string(provider.addresses[i]);
    }
    out += " | " + std::string(provider.about) + " |\n";
  }
  return out + "\n## Command line\n\n" + markdown_table(config_flag_rows()) +
         "\n## Environment\n\n" + markdown_table(environment_rows()) + "\n## Signals\n\n" +
         markdown_table(signal_rows()) + "\n## Exit codes\n\n" + markdown_table(exit_code_rows());
}

}  // namespace

std::vector<GeneratedPage> generated_pages() {
  return {{"man/sotto.1", man_sotto()},
          {"man/sotto.toml.5", man_sotto_toml()},
          {"manual/configuration.md", manual_configuration()}};
}

}  // namespace sotto
