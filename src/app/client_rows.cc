// The top of the file, and what concerns clients.
#include <algorithm>
#include <array>
#include <thread>

#include "app/listen_reader.h"
#include "app/option_rows.h"
#include "app/option_setters.h"
#include "app/text.h"

namespace sotto {

namespace {

using std::chrono::milliseconds;
using Kind = Option::Kind;
using Applies = Option::Applies;

// Beyond the CPUs of the largest machines; each worker holds sockets and upstream connections.
constexpr std::int64_t workers_max = 256;
constexpr std::int64_t connections_max = 1'000'000;  // what a kernel grants in descriptors at best

unsigned resolved_workers(std::int64_t number) {
  if (number != 0) return static_cast<unsigned>(number);
  return std::clamp(std::thread::hardware_concurrency(), 1U, static_cast<unsigned>(workers_max));
}

constexpr std::array<std::string_view, 2> client_certificates{"required", "optional"};

constexpr auto rows = std::to_array<Option>({
    {.key = "workers",
     .kind = Kind::integer_or_auto,
     .minimum = 1,
     .maximum = workers_max,
     .standard = "1",
     .applies = Applies::on_restart,
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.workers = resolved_workers(value.number); },
     .print = [](const Config& config, const Entry&) { return std::to_string(config.workers); },
     .help =
         "Threads that serve queries, or \"auto\" for one per CPU. Few are better than many: each "
         "keeps connections to the upstreams of its own."},
    {.key = "query_timeout",
     .kind = Kind::duration,
     .minimum = second / 10,
     .maximum = minute,
     .standard = "\"4.5s\"",
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.query_timeout = milliseconds{value.number}; },
     .print = [](const Config& config, const Entry&) { return quoted(config.query_timeout); },
     .help = "A query that no upstream has answered by then is answered SERVFAIL. Most clients "
             "give up after 5 seconds."},
    {.key = "bootstrap",
     .kind = Kind::list,
     .standard = "[]",
     .element = "URL",
     .flag = "--bootstrap",
     .environment = "SOTTO_BOOTSTRAP",
     .set = set_bootstrap,
     .print = [](const Config& config, const Entry&) { return bootstrap_text(config); },
     .help = "Servers that look up the addresses of upstreams given by a host's name: "
             "tls://ADDRESS[:853][#AUTH-NAME], or a provider's name. [upstream_default] applies "
             "to them. With [] the upstreams that are given by address look them up."},
    {.key = "state_directory",
     .kind = Kind::file,
     .standard = "\"\"",
     .applies = Applies::on_restart,
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.state_directory = absolute_path(draft, value); },
     .print = [](const Config& config,
                 const Entry&) { return toml_string(config.state_directory); },
     .help = "Keep the last good addresses of upstreams given by a host's name in this directory, "
             "for a start without a network. It must exist, and sotto must be able to write in "
             "it. \"\" keeps them in memory only. A relative path in the configuration file "
             "starts at that file's directory."},
    {.key = "listen.udp",
     .kind = Kind::list_or_tables,
     .standard = "[\"127.0.0.1:5053\", \"[::1]:5053\"]",
     .applies = Applies::on_restart,
     .element = "ADDR:PORT",
     .flag = "--listen",
     .environment = "SOTTO_LISTEN",
     .set = [](Draft& draft, Entry&, const Value& value) { set_listen(draft, "udp", value); },
     .print = [](const Config& config, const Entry&) { return listen_text(config.listen.udp); },
     .help = "Addresses to answer DNS over UDP on. [] switches UDP off. When only one of udp and "
             "tcp is given, the other follows it (unless it is []). A default address that the "
             "host lacks is skipped, and so are 0.0.0.0 and [::] on a host without IPv4 or IPv6 if "
             "another address of the list is left; any other is an error."},
    {.key = "listen.tcp",
     .kind = Kind::list_or_tables,
     .standard = "[\"127.0.0.1:5053\", \"[::1]:5053\"]",
     .applies = Applies::on_restart,
     .element = "ADDR:PORT",
     .flag = "--listen",
     .environment = "SOTTO_LISTEN",
     .set = [](Draft& draft, Entry&, const Value& value) { set_listen(draft, "tcp", value); },
     .print = [](const Config& config, const Entry&) { return listen_text(config.listen.tcp); },
     .help = "Addresses to answer DNS over TCP on. [] switches TCP off; --listen and "
             "SOTTO_LISTEN then give addresses to UDP alone."},
    {.key = "listen.tls",
     .kind = Kind::list_or_tables,
     .standard = "[]",
     .applies = Applies::on_restart,
     .element = "ADDR:PORT",
     .set = [](Draft& draft, Entry&, const Value& value) { set_listen(draft, "tls", value); },
     .print = [](const Config& config, const Entry&) { return listen_text(config.listen.tls); },
     .help = "Addresses to answer DNS over TLS on (DoT, RFC 7858); its port is 853."},
    {.key = "listen.https",
     .kind = Kind::list_or_tables,
     .standard = "[]",
     .applies = Applies::on_restart,
     .element = "ADDR:PORT",
     .set = [](Draft& draft, Entry&, const Value& value) { set_listen(draft, "https", value); },
     .print = [](const Config& config, const Entry&) { return listen_text(config.listen.https); },
     .help = "Addresses to answer DNS over HTTPS on (DoH, RFC 8484); its port is 443."},
    {.key = "listen.admin",
     .kind = Kind::text,
     .standard = "\"127.0.0.1:9053\"",
     .applies = Applies::on_restart,
     .element = "ADDR:PORT",
     .set = set_listen_admin,
     .print = [](const Config& config, const Entry&) { return admin_text(config); },
     .help = "Address to serve metrics (/metrics) and health (/livez, /readyz) on, over HTTP. \"\" "
             "switches it off. The default address is skipped where it cannot be used; a "
             "configured one that cannot be used is an error at the start."},
    {.key = "listener.address",
     .kind = Kind::text,
     .standard = "none; it must be given",
     .applies = Applies::on_restart,
     .element = "ADDR:PORT",
     .set = set_listener_address,
     .print = [](const Config&,
                 const Entry& entry) { return toml_string(entry.listen.address.text()); },
     .help = "Where to listen."},
    {.key = "listener.proxy_from",
     .kind = Kind::list,
     .standard = "[]",
     .applies = Applies::on_restart,
     .element = "NETWORK",
     .set = set_listener_proxy_from,
     .print = [](const Config&,
                 const Entry& entry) { return networks_text(entry.listen.proxy_from); },
     .help = "Peers in these networks are proxies: each connection of theirs, and over UDP each "
             "datagram, must begin with a header of the PROXY protocol (version 1 or 2, over UDP "
             "2), and the client it names counts for policy and logs. Nobody else may send one."},
    {.key = "listener.client_ca",
     .kind = Kind::file,
     .standard = "\"\"",
     .applies = Applies::on_restart,
     .set = set_listener_client_ca,
     .print = [](const Config&, const Entry& entry) { return toml_string(entry.listen.client_ca); },
     .help = "Ask clients for a certificate, and check it against the certificate authorities in "
             "this file (PEM). Of tls and https."},
    {.key = "listener.client_certificate",
     .kind = Kind::choice,
     .standard = "\"required\"",
     .applies = Applies::on_restart,
     .choices = client_certificates,
     .set =
         [](Draft&, Entry& entry, const Value& value) {
           entry.listen.client_certificate_required = value.text == client_certificates[0];
         },
     .print =
         [](const Config&, const Entry& entry) {
           return toml_string(
               client_certificates[entry.listen.client_certificate_required ? 0 : 1]);
         },
     .help = "With client_ca: whether a client without a certificate is refused, or may come "
             "without. A certificate that is not right is refused either way."},
    {.key = "listener.path",
     .kind = Kind::text,
     .standard = "\"/dns-query\"",
     .applies = Applies::on_restart,
     .element = "path",
     .set = set_listener_path,
     .print = [](const Config&, const Entry& entry) { return toml_string(entry.listen.path); },
     .help = "Path of the requests that are answered. Of https."},
    {.key = "policy.allow",
     .kind = Kind::list,
     .standard = "loopback, private and link-local networks",
     .element = "NETWORK",
     .set = set_policy_allow,
     .print = [](const Config& config, const Entry&) { return networks_text(config.policy.allow); },
     .help = "Networks whose clients may ask. Others get REFUSED with EDE 18 (Prohibited)."},
    {.key = "policy.allow_verified",
     .kind = Kind::boolean,
     .standard = "true",
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.policy.allow_verified = value.number != 0; },
     .print = [](const Config& config,
                 const Entry&) { return boolean_text(config.policy.allow_verified); },
     .help = "Clients whose certificate was verified (client_ca of a listener) may ask from any "
             "address. false: they must be in policy.allow, too."},
    {.key = "policy.special_use_names",
     .kind = Kind::boolean,
     .standard = "true",
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.policy.special_use_names = value.number != 0; },
     .print = [](const Config& config,
                 const Entry&) { return boolean_text(config.policy.special_use_names); },
     .help = "Answer localhost, invalid, onion and the reverse zones of private addresses here "
             "(RFC 6761, RFC 6303) instead of asking an upstream."},
    {.key = "policy.test_name",
     .kind = Kind::boolean,
     .standard = "true",
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.policy.test_name = value.number != 0; },
     .print = [](const Config& config,
                 const Entry&) { return boolean_text(config.policy.test_name); },
     .help = "Answer the name test here too (RFC 6761); false for a network that uses it."},
    {.key = "tcp.idle_timeout",
     .kind = Kind::duration,
     .minimum = second / 10,
     .maximum = hour,
     .standard = "\"10s\"",
     .applies = Applies::on_restart,
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.tcp.idle_timeout = milliseconds{value.number}; },
     .print = [](const Config& config, const Entry&) { return quoted(config.tcp.idle_timeout); },
     .help =
         "Close a client's connection, over TLS or not, that sent no complete query for this long. "
         "When more than half of tcp.connections_max are open, the time shrinks, to a tenth."},
    {.key = "tcp.connections_max",
     .kind = Kind::integer,
     .minimum = 1,
     .maximum = connections_max,
     .standard = "10000",
     .applies = Applies::on_restart,
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.tcp.connections_max = static_cast<std::size_t>(value.number);
         },
     .print = [](const Config& config,
                 const Entry&) { return std::to_string(config.tcp.connections_max); },
     .help = "Clients' connections open at once, per worker: TCP, TLS and HTTPS together."},
    {.key = "tcp.connections_per_client_max",
     .kind = Kind::integer,
     .minimum = 1,
     .maximum = connections_max,
     .standard = "1000",
     .applies = Applies::on_restart,
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.tcp.connections_per_client_max = static_cast<std::size_t>(value.number);
         },
     .print = [](const Config& config,
                 const Entry&) { return std::to_string(config.tcp.connections_per_client_max); },
     .help = "Connections of one client address, per worker: TCP, TLS and HTTPS together. Many "
             "clients may stand behind one address."},
});

}  // namespace

std::span<const Option> client_rows() {
  return rows;
}

}  // namespace sotto
