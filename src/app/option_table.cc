// The rows.
#include <algorithm>
#include <array>
#include <thread>

#include "app/duration.h"
#include "app/octets.h"
#include "app/option_setters.h"
#include "app/options.h"
#include "app/text.h"

namespace sotto {

namespace {

using std::chrono::milliseconds;
using Kind = Option::Kind;
using Applies = Option::Applies;

constexpr std::int64_t second = 1'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;

// A cache in one shard, with room to evict from.
constexpr std::int64_t cache_octets_min = std::int64_t{512} << 10U;
// Far more than all names in use; a slip of the unit is noticed. Address space is what bounds it on
// 32-bit machines.
constexpr std::int64_t cache_octets_max = std::int64_t{1} << (sizeof(std::size_t) > 4 ? 40U : 30U);
// RFC 8767 §5: stale answers are for outages, and those end.
constexpr std::int64_t stale_max_age_max = 30 * day;

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

std::string quoted_octets(std::size_t octets) {
  const std::string text = octets_text(static_cast<std::int64_t>(octets));
  return octets == 0 ? text : toml_string(text);
}

constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> formats{"text", "json"};

constexpr std::array<Option, 26> table{{
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
    {.key = "cache.size",
     .kind = Kind::octets,
     .minimum = cache_octets_min,
     .maximum = cache_octets_max,
     .or_zero = true,
     .standard = "\"128MiB\"",
     .applies = Applies::on_restart,
     .set =
         [](Draft& draft, UpstreamConfig&, const Value& value) {
           draft.config.cache.size_octets = static_cast<std::size_t>(value.number);
         },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return quoted_octets(config.cache.size_octets); },
     .help =
         "Memory that the answers kept for all workers may take, overhead included. It is taken "
         "as the cache fills, and never more. 0 keeps nothing."},
    {.key = "cache.ttl_min",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = hour,
     .standard = "\"0s\"",
     .set = set_cache_ttl_min,
     .print = [](const Config& config,
                 const UpstreamConfig&) { return quoted(config.cache.ttl_min); },
     .help = "Answers are kept, and given to clients, with at least this TTL, whatever their zones "
             "say. Anything above a few seconds delays changes that others make on purpose. It "
             "must not exceed ttl_max, nor negative_ttl_max unless that is \"0s\". A reload "
             "applies a change to answers stored from then on; sotto cache flush forgets the "
             "others."},
    {.key = "cache.ttl_max",
     .kind = Kind::duration,
     .minimum = second,
     .maximum = 7 * day,
     .standard = "\"1d\"",
     .set = set_cache_ttl_max,
     .print = [](const Config& config,
                 const UpstreamConfig&) { return quoted(config.cache.ttl_max); },
     .help = "Answers are kept, and given to clients, with at most this TTL. A reload applies a "
             "change to answers stored from then on; sotto cache flush forgets the others."},
    {.key = "cache.negative_ttl_max",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = day,
     .standard = "\"1h\"",
     .set = set_cache_negative_ttl_max,
     .print = [](const Config& config,
                 const UpstreamConfig&) { return quoted(config.cache.negative_ttl_max); },
     .help = "That a name or a type does not exist is remembered for at most this long (RFC 2308). "
             "\"0s\" does not remember it at all. A reload applies a change to answers stored from "
             "then on; sotto cache flush forgets the others."},
    {.key = "cache.prefetch",
     .kind = Kind::integer,
     .minimum = 0,
     .maximum = 100,
     .standard = "10",
     .set =
         [](Draft& draft, UpstreamConfig&, const Value& value) {
           draft.config.cache.prefetch_percent = static_cast<unsigned>(value.number);
         },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return std::to_string(config.cache.prefetch_percent); },
     .help = "Answers asked for again in the last tenth of their life are refreshed before they "
             "expire. At most this many percent of the queries to upstreams may be such refreshes; "
             "up to 100 a second of each worker are always allowed. 0 switches them off."},
    {.key = "cache.file",
     .kind = Kind::file,
     .standard = "\"\"",
     .applies = Applies::on_restart,
     .set = set_cache_file,
     .print = [](const Config& config,
                 const UpstreamConfig&) { return toml_string(config.cache.file); },
     .help =
         "Keep the answers in this file across restarts: it is written at a clean stop and every "
         "save_interval, and read in the background at the start. Each sotto needs a file of "
         "its own, in a directory that exists and that it can write; the file may not be a "
         "symbolic link. With cache.size = 0 it has no effect. \"\" keeps the answers in memory "
         "only. A relative path in the configuration file starts at that file's directory."},
    {.key = "cache.save_interval",
     .kind = Kind::duration,
     .minimum = second,
     .maximum = 7 * day,
     .or_zero = true,
     .standard = "\"15m\"",
     .set =
         [](Draft& draft, UpstreamConfig&, const Value& value) {
           draft.config.cache.save_interval = milliseconds{value.number};
         },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return quoted(config.cache.save_interval); },
     .help = "Write cache.file this often, so that little is lost when sotto is killed. \"0s\" "
             "writes it at a clean stop only."},
    {.key = "cache.stale.max_age",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = stale_max_age_max,
     .standard = "\"1d\"",
     .set =
         [](Draft& draft, UpstreamConfig&, const Value& value) {
           draft.config.cache.stale_max_age = milliseconds{value.number};
         },
     .print = [](const Config& config,
                 const UpstreamConfig&) { return quoted(config.cache.stale_max_age); },
     .help = "When no upstream answers within 1.8 seconds, or none can be used, an answer is given "
             "that expired at most this long ago, with a TTL of 30 seconds and EDE 3 (RFC 8767). "
             "\"0s\" never gives one."},
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
    {.key = "control.socket",
     .kind = Kind::file_or_auto,
     .standard = "\"auto\"",
     .applies = Applies::on_restart,
     .set = set_control_socket,
     .print = [](const Config& config,
                 const UpstreamConfig&) { return toml_string(config.control.socket); },
     .help =
         "Unix socket on which sotto cache reaches the running sotto; only its own user and root "
         "can. \"auto\" is control.socket in $RUNTIME_DIRECTORY (which systemd sets), or for "
         "root /run/sotto/control.socket, or for others $XDG_RUNTIME_DIR/sotto/control.socket; "
         "sotto runs without if that cannot be used. A path that is named here and cannot be "
         "used is an error at the start. \"\" switches it off."},
}};

}  // namespace

std::span<const Option> options() {
  return table;
}

}  // namespace sotto
