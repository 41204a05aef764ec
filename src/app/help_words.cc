#include "app/help_words.h"

#include <set>

#include "app/cache_options.h"
#include "app/options.h"
#include "app/query/query_options.h"
#include "app/upstreams_options.h"

namespace sotto {

namespace {

// What the flag does beyond its option, for the command line's readers; listen.udp and listen.tcp
// share one.
struct FlagWords {
  std::string_view flag;
  std::string_view argument;
  std::string_view text;
};

constexpr FlagWords flag_words[] = {
    {"--listen", "ADDR:PORT",
     "Listen here on UDP and TCP; can be repeated. Replaces the file's addresses; a transport that "
     "the file switches off ([]) stays off."},
    {"--upstream", "URL",
     "Resolver to forward to; can be repeated. tls://ADDRESS[:853][#AUTH-NAME], "
     "tls://HOST[:853], or cloudflare, quad9, google. Replaces the file's upstreams. They are in "
     "the group \"default\"."},
    {"--bootstrap", "URL",
     "Server that looks up HOST of tls://HOST; can be repeated. tls://ADDRESS[:853][#AUTH-NAME], "
     "or cloudflare, quad9, google. Replaces the file's."},
    {"--ca-file", "FILE",
     "Trust these certificate authorities (PEM) instead of the system's, for every upstream that "
     "does not set its own."},
    {"--log-level", "LEVEL", "One of debug, info, warning, error."},
};

// Of a command's flags.
template <class Flags>
std::vector<HelpRow> flag_rows(Flags flags) {
  std::vector<HelpRow> rows;
  for (const auto& flag : flags) {
    std::string term(flag.flag);
    if (!flag.argument.empty()) term += " " + std::string(flag.argument);
    rows.push_back({term, std::string(flag.help)});
  }
  return rows;
}

}  // namespace

std::vector<HelpRow> command_rows() {
  return {{"sotto [serve] [OPTIONS]", "Forward DNS queries over TLS. This is the default."},
          {"sotto check [OPTIONS]", "Check the configuration and print it as it takes effect."},
          {"sotto query [@SERVER] NAME [TYPE] [OPTIONS]",
           "Ask one question and show the answer; see sotto query --help."},
          {"sotto cache flush|show|stats [NAME] [OPTIONS]",
           "Forget answers of the running sotto, or show what it keeps; see sotto cache --help."},
          {"sotto upstreams [OPTIONS]",
           "Show the running sotto's upstreams: which are used, how fast, what fails; see sotto "
           "upstreams --help."}};
}

std::vector<HelpRow> cache_command_rows() {
  return {{"sotto cache flush", "Forget everything, and say how many entries that was."},
          {"sotto cache flush NAME", "Forget every type of this name; --below: and of all below."},
          {"sotto cache show NAME",
           "Print what is kept of this name: for each question a line that says how long it is "
           "fresh, and the records with their TTLs as they are now."},
          {"sotto cache stats",
           "Print a name and a value on each line: entries, octets in use and at most, hits, "
           "misses, stale answers, refreshes ahead of expiry, evictions, the ratio of hits."}};
}

std::vector<HelpRow> cache_flag_rows() {
  return flag_rows(cache_flags());
}

std::vector<HelpRow> upstreams_flag_rows() {
  return flag_rows(upstreams_flags());
}

std::vector<HelpRow> config_flag_rows() {
  std::vector<HelpRow> rows{{"--config FILE",
                             "Read this file; without it SOTTO_CONFIG's, or /etc/sotto/sotto.toml "
                             "if that exists."}};
  for (const FlagWords& words : flag_words) {
    rows.push_back(
        {std::string(words.flag) + " " + std::string(words.argument), std::string(words.text)});
  }
  rows.push_back({"--version", "Print the version."});
  rows.push_back({"-h, --help", "Print this help."});
  return rows;
}

std::vector<HelpRow> query_flag_rows() {
  return flag_rows(query_flags());
}

std::vector<HelpRow> environment_rows() {
  std::vector<HelpRow> rows{{"SOTTO_CONFIG", "The configuration file, as --config."}};
  std::set<std::string_view> seen;
  for (const Option& option : options()) {
    if (option.environment.empty() || !seen.insert(option.environment).second) continue;
    rows.push_back({std::string(option.environment),
                    "As " + std::string(option.flag) +
                        (option.takes_list() ? ", separated by commas." : ".")});
  }
  return rows;
}

std::vector<HelpRow> signal_rows() {
  return {{"SIGTERM, SIGINT",
           "Answer the queries in progress, save the cache to cache.file, and stop, within 19 s. "
           "A second one ends sotto at once, without saving."},
          {"SIGHUP", "Read the configuration again; see sotto.toml(5)."},
          {"SIGQUIT", "End at once, without answering or saving."},
          {"SIGUSR1, SIGUSR2", "Ignored."}};
}

std::vector<HelpRow> exit_code_rows() {
  return {{"0", "Stopped cleanly, or the configuration is right."},
          {"1",
           "Failure at run time, such as a port in use; or ended before all was answered and "
           "saved."},
          {"2", "Wrong configuration or wrong usage; nothing was started."}};
}

std::vector<HelpRow> query_exit_code_rows() {
  return {{"0", "The answer is NOERROR or NXDOMAIN."},
          {"1", "Another RCODE, a malformed answer or no answer."},
          {"2", "Wrong usage."}};
}

std::vector<HelpRow> cache_exit_code_rows() {
  return {{"0", "Done; also when nothing was there to show or to forget."},
          {"1",
           "Not done: no sotto is listening there, it did not answer or said why not, or what it "
           "said could not be written."},
          {"2", "Wrong configuration or wrong usage; nothing was sent."}};
}

std::vector<HelpRow> example_rows() {
  return {{"sotto --listen 0.0.0.0:53 --upstream quad9",
           "Serve the local networks on port 53 through Quad9."},
          {"sotto query example.com AAAA", "Ask sotto where it listens by default."},
          {"sotto check --config sotto.toml", "Show what this file means."}};
}

std::vector<HelpRow> query_example_rows() {
  return {
      {"sotto query example.com AAAA", "Ask sotto where it listens by default."},
      {"sotto query @[::1]:5053 example.com MX --tcp --dnssec", "Over TCP, with signatures."},
      {"sotto query @tls://9.9.9.9#dns.quad9.net example.com", "Over TLS, past sotto, to compare."},
      {"sotto query @https://127.0.0.1:8443/dns-query#dns.example example.com",
       "Over HTTPS, to see what browsers get."}};
}

std::vector<HelpRow> cache_example_rows() {
  return {{"sotto cache flush example.com --below", "After a change that should be seen at once."},
          {"sotto cache show www.example.com", "Why is it this address?"},
          {"sotto cache stats --socket /run/sotto/control.socket", "How full, how useful."}};
}

std::vector<HelpRow> upstreams_exit_code_rows() {
  return {{"0", "Shown."},
          {"1",
           "Not shown: no sotto is listening there, it did not answer, or what it said could not "
           "be written."},
          {"2", "Wrong configuration or wrong usage; nothing was asked."}};
}

std::vector<HelpRow> upstreams_example_rows() {
  return {{"sotto upstreams", "Who answers, and why not the others?"},
          {"sotto upstreams --json --socket /run/sotto/control.socket", "For a script."}};
}

}  // namespace sotto
