#include "app/options.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <thread>

#include "app/duration.h"
#include "app/option_setters.h"
#include "app/text.h"

namespace sotto {

namespace {

using std::chrono::milliseconds;
using Kind = Option::Kind;
using Applies = Option::Applies;

constexpr std::int64_t second = 1'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;

// Beyond the CPUs of the largest machines; each worker holds sockets and upstream connections.
constexpr std::int64_t workers_max = 256;
constexpr std::int64_t connections_max = 1'000'000;  // what a kernel grants in descriptors at best

unsigned resolved_workers(std::int64_t number) {
  if (number != 0) return static_cast<unsigned>(number);
  return std::clamp(std::thread::hardware_concurrency(), 1U, static_cast<unsigned>(workers_max));
}

std::string boolean_text(bool value) {
  return value ? "true" : "false";
}

std::string quoted(milliseconds duration) {
  return toml_string(duration_text(duration));
}

constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> formats{"text", "json"};

constexpr std::array<Option, 17> table{{
    {.key = "workers",
     .kind = Kind::integer_or_auto,
     .minimum = 1,
     .maximum = workers_max,
     .standard = "1",
     .applies = Applies::on_restart,
     .set = [](Draft& draft, UpstreamConfig&,
               const Value& value) { draft.config.workers = resolved_workers(value.number); },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return std::to_string(config.workers); },
     .help =
         "Threads that serve queries, or \"auto\" for one per CPU. Few are better than many: each "
         "keeps connections to the upstreams of its own."},
    {.key = "query_timeout",
     .kind = Kind::duration,
     .minimum = second / 10,
     .maximum = minute,
     .standard = "\"4.5s\"",
     .set = [](Draft& draft, UpstreamConfig&,
               const Value& value) { draft.config.query_timeout = milliseconds{value.number}; },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return quoted(config.query_timeout); },
     .help = "A query that no upstream has answered by then is answered SERVFAIL. Most clients "
             "give up after 5 seconds."},
    {.key = "listen.udp",
     .kind = Kind::list,
     .standard = "[\"127.0.0.1:5053\", \"[::1]:5053\"]",
     .applies = Applies::on_restart,
     .element = "ADDR:PORT",
     .flag = "--listen",
     .environment = "SOTTO_LISTEN",
     .set = set_listen_udp,
     .print = [](const Config& config,
                 const UpstreamConfig&) { return listen_text(config.listen.udp); },
     .help = "Addresses to answer DNS over UDP on. [] switches UDP off. When only one of udp and "
             "tcp is given, the other follows it (unless it is []). A default address that the "
             "host lacks is skipped; a configured one is an error."},
    {.key = "listen.tcp",
     .kind = Kind::list,
     .standard = "[\"127.0.0.1:5053\", \"[::1]:5053\"]",
     .applies = Applies::on_restart,
     .element = "ADDR:PORT",
     .flag = "--listen",
     .environment = "SOTTO_LISTEN",
     .set = set_listen_tcp,
     .print = [](const Config& config,
                 const UpstreamConfig&) { return listen_text(config.listen.tcp); },
     .help = "Addresses to answer DNS over TCP on. [] switches TCP off; --listen and "
             "SOTTO_LISTEN then give addresses to UDP alone."},
    {.key = "upstream.url",
     .kind = Kind::text_or_list,
     .standard = "\"cloudflare\", then \"quad9\"",
     .element = "URL",
     .flag = "--upstream",
     .environment = "SOTTO_UPSTREAM",
     .set = set_upstream_url,
     .print = [](const Config&, const UpstreamConfig& upstream) { return url_text(upstream); },
     .help = "A resolver: tls://ADDRESS[:853][#AUTH-NAME], or a list of such URLs of one provider "
             "that share the authentication name, or one of cloudflare, quad9, google. Without "
             "#AUTH-NAME the certificate must name the IP address. Upstreams are used in their "
             "order: the next one when those before it fail."},
    {.key = "upstream.pins",
     .kind = Kind::list,
     .standard = "[]",
     .element = "sha256/BASE64",
     .set = set_upstream_pins,
     .print = [](const Config&, const UpstreamConfig& upstream) { return pins_text(upstream); },
     .help = "SHA-256 of public keys (SPKI), one of which the certificate chain must contain, in "
             "addition to being valid for the name."},
    {.key = "upstream.ca_file",
     .kind = Kind::file,
     .standard = "\"\"",
     .flag = "--ca-file",
     .environment = "SOTTO_CA_FILE",
     .set = set_upstream_ca_file,
     .print = [](const Config&,
                 const UpstreamConfig& upstream) { return toml_string(upstream.ca_file); },
     .help = "PEM file of the certificate authorities to trust instead of the system's. A relative "
             "path in the configuration file starts at that file's directory."},
    {.key = "upstream.idle_timeout",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = hour,
     .standard = "\"9s\"",
     .set = [](Draft&, UpstreamConfig& upstream,
               const Value& value) { upstream.idle_timeout = milliseconds{value.number}; },
     .print = [](const Config&,
                 const UpstreamConfig& upstream) { return quoted(upstream.idle_timeout); },
     .help = "Close an upstream connection that carried no query for this long. Public resolvers "
             "close theirs after about 10 seconds."},
    {.key = "upstream.padding",
     .kind = Kind::boolean,
     .standard = "true",
     .set = [](Draft&, UpstreamConfig& upstream,
               const Value& value) { upstream.padding = value.number != 0; },
     .print = [](const Config&,
                 const UpstreamConfig& upstream) { return boolean_text(upstream.padding); },
     .help = "Pad queries to a multiple of 128 octets (RFC 8467), so that their length does not "
             "give the name away."},
    {.key = "policy.allow",
     .kind = Kind::list,
     .standard = "loopback, private and link-local networks",
     .element = "NETWORK",
     .set = set_policy_allow,
     .print = [](const Config& config, const UpstreamConfig&) { return allow_text(config); },
     .help = "Networks whose clients may ask. Others get REFUSED with EDE 18 (Prohibited)."},
    {.key = "policy.special_use_names",
     .kind = Kind::boolean,
     .standard = "true",
     .set = [](Draft& draft, UpstreamConfig&,
               const Value& value) { draft.config.policy.special_use_names = value.number != 0; },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return boolean_text(config.policy.special_use_names); },
     .help = "Answer localhost, invalid, onion and the reverse zones of private addresses here "
             "(RFC 6761, RFC 6303) instead of asking an upstream."},
    {.key = "policy.test_name",
     .kind = Kind::boolean,
     .standard = "true",
     .set = [](Draft& draft, UpstreamConfig&,
               const Value& value) { draft.config.policy.test_name = value.number != 0; },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return boolean_text(config.policy.test_name); },
     .help = "Answer the name test here too (RFC 6761); false for a network that uses it."},
    {.key = "tcp.idle_timeout",
     .kind = Kind::duration,
     .minimum = second / 10,
     .maximum = hour,
     .standard = "\"10s\"",
     .applies = Applies::on_restart,
     .set = [](Draft& draft, UpstreamConfig&,
               const Value& value) { draft.config.tcp.idle_timeout = milliseconds{value.number}; },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return quoted(config.tcp.idle_timeout); },
     .help = "Close a client's TCP connection that sent no complete query for this long."},
    {.key = "tcp.connections_max",
     .kind = Kind::integer,
     .minimum = 1,
     .maximum = connections_max,
     .standard = "10000",
     .applies = Applies::on_restart,
     .set =
         [](Draft& draft, UpstreamConfig&, const Value& value) {
           draft.config.tcp.connections_max = static_cast<std::size_t>(value.number);
         },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return std::to_string(config.tcp.connections_max); },
     .help = "Clients' TCP connections open at once, per worker."},
    {.key = "tcp.connections_per_client_max",
     .kind = Kind::integer,
     .minimum = 1,
     .maximum = connections_max,
     .standard = "1000",
     .applies = Applies::on_restart,
     .set =
         [](Draft& draft, UpstreamConfig&, const Value& value) {
           draft.config.tcp.connections_per_client_max = static_cast<std::size_t>(value.number);
         },
     .print =
         [](const Config& config, const UpstreamConfig&) {
           return std::to_string(config.tcp.connections_per_client_max);
         },
     .help = "TCP connections of one client address, per worker. Many clients may stand behind "
             "one address."},
    {.key = "log.level",
     .kind = Kind::choice,
     .standard = "\"info\"",
     .choices = levels,
     .flag = "--log-level",
     .environment = "SOTTO_LOG_LEVEL",
     .set = [](Draft& draft, UpstreamConfig&,
               const Value& value) { draft.config.log.level = log_level_of(value.text); },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return toml_string(to_text(config.log.level)); },
     .help = "The least important messages that are logged."},
    {.key = "log.format",
     .kind = Kind::choice,
     .standard = "\"text\"",
     .applies = Applies::on_restart,
     .choices = formats,
     .set =
         [](Draft& draft, UpstreamConfig&, const Value& value) {
           draft.config.log.format = value.text == "json" ? LogFormat::json : LogFormat::text;
         },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return toml_string(to_text(config.log.format)); },
     .help = "Lines of text, or one JSON object a line. The log goes to standard error."},
}};

std::string number_text(const Option& option, std::int64_t number) {
  if (option.kind == Kind::duration) return duration_text(milliseconds{number});
  return std::to_string(number);
}

}  // namespace

std::string_view Option::section() const {
  const std::size_t dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

std::string_view Option::leaf() const {
  return key.substr(section().empty() ? 0 : section().size() + 1);
}

std::string Option::type_text() const {
  switch (kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "integer";
    case Kind::integer_or_auto:
      return "integer or \"auto\"";
    case Kind::duration:
      return "duration";
    case Kind::choice:
      return "string";
    case Kind::file:
      return "file name";
    case Kind::list:
      return "list of " + std::string(element);
    case Kind::text_or_list:
      return std::string(element) + " or list of " + std::string(element);
  }
  assert(false && "a kind without a name");
  return {};
}

std::string Option::range_text() const {
  if (kind == Kind::choice) {
    return "one of " + joined({choices.begin(), choices.end()});
  }
  if (minimum == maximum) return {};
  return "from " + number_text(*this, minimum) + " to " + number_text(*this, maximum);
}

std::span<const Option> options() {
  return table;
}

const Option* find_option(std::string_view key) {
  const auto* found = std::find_if(table.begin(), table.end(),
                                   [&](const Option& option) { return option.key == key; });
  return found == table.end() ? nullptr : found;
}

bool check_range(const Option& option, const Value& value, std::string_view offending,
                 std::vector<ConfigError>& errors) {
  if (option.kind == Kind::choice) {
    const auto& choices = option.choices;
    if (std::find(choices.begin(), choices.end(), value.text) != choices.end()) return true;
    const std::string_view meant =
        nearest(lower_case(value.text), {choices.begin(), choices.end()});
    std::string suggestion = "write " + option.range_text();
    if (!meant.empty()) suggestion = "did you mean \"" + std::string(meant) + "\"? " + suggestion;
    errors.push_back(
        {value.place, complaint("unknown " + std::string(option.key), offending, suggestion)});
    return false;
  }
  if (option.minimum == option.maximum) return true;
  if (value.number >= option.minimum && value.number <= option.maximum) return true;
  errors.push_back({value.place, complaint(std::string(option.leaf()) + " is out of range",
                                           offending, "it must be " + option.range_text())});
  return false;
}

}  // namespace sotto
