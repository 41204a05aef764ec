// Whom to ask, and how.
#include <algorithm>
#include <array>
#include <limits>

#include "app/option_rows.h"
#include "app/option_setters.h"
#include "app/text.h"
#include "dns/name.h"

namespace sotto {

namespace {

using std::chrono::milliseconds;
using Kind = Option::Kind;
using Applies = Option::Applies;

// Percent, as they stand in hedge.budget.
constexpr std::int64_t percent_max = 100;
// SO_MARK (socket(7)).
constexpr std::int64_t mark_max = std::numeric_limits<std::uint32_t>::max();

constexpr std::array<std::string_view, 5> selections{"fastest", "order", "random", "hash", "all"};

constexpr std::array<Option, 16> rows{{
    {.key = "group.name",
     .kind = Kind::text,
     .standard = "\"default\"",
     .element = "NAME",
     .set = set_group_name,
     .print = [](const Config&, const Entry& entry) { return toml_string(entry.group.name); },
     .help =
         "The name that upstreams choose it by: letters, digits, hyphens, underscores and dots. "
         "Upstreams that choose none are in \"default\"."},
    {.key = "group.select",
     .kind = Kind::choice,
     .standard = "\"fastest\"",
     .choices = selections,
     .set =
         [](Draft&, Entry& entry, const Value& value) {
           entry.group.selection = selection_of(value.text);
           entry.places.select = value.place;
         },
     .print = [](const Config&,
                 const Entry& entry) { return toml_string(to_text(entry.group.selection)); },
     .help = "Which upstream of the group is asked. \"fastest\": the one that answers sooner and "
             "fails less, of two taken at random, so that all are used and a slow one fades. "
             "\"order\": the first one that works. \"random\": any. \"hash\": always the same "
             "one for a registrable domain (all of example.com), so that none of them sees every "
             "name. \"all\": every one at once, at most 4, and the first answer counts. "
             "Whatever is chosen, those that fail come last."},
    {.key = "upstream.url",
     .kind = Kind::text_or_list,
     .in_list_only = true,
     .standard = "\"cloudflare\", then \"quad9\"",
     .element = "URL",
     .flag = "--upstream",
     .environment = "SOTTO_UPSTREAM",
     .set = set_upstream_url,
     .print = [](const Config&, const Entry& entry) { return url_text(entry.upstream); },
     .help = "A resolver: tls://ADDRESS[:853][#AUTH-NAME], or a list of such URLs of one provider "
             "that share the authentication name, or one of cloudflare, quad9, google. Without "
             "#AUTH-NAME the certificate must name the IP address. Or tls://HOST[:853]: its "
             "addresses are looked up through bootstrap or the upstreams given by address, never "
             "in plain DNS, and the certificate must name the host (or #AUTH-NAME)."},
    {.key = "upstream.group",
     .kind = Kind::text,
     .in_list_only = true,
     .standard = "\"default\"",
     .element = "NAME",
     .set = set_upstream_group,
     .print = [](const Config&, const Entry& entry) { return toml_string(entry.upstream.group); },
     .help = "The group of upstreams of equal policy that it belongs to; see [[group]]. Queries go "
             "to the first group that works, and only within a group is a query sent to another "
             "upstream too, because the first is late. Of the built-in two, each is a group of its "
             "own."},
    {.key = "upstream.pins",
     .kind = Kind::list,
     .standard = "[]",
     .element = "sha256/BASE64",
     .set = set_upstream_pins,
     .print = [](const Config&, const Entry& entry) { return pins_text(entry.upstream); },
     .help = "SHA-256 of public keys (SPKI), one of which the certificate chain must contain, in "
             "addition to being valid for the name."},
    {.key = "upstream.ca_file",
     .kind = Kind::file,
     .standard = "\"\"",
     .flag = "--ca-file",
     .environment = "SOTTO_CA_FILE",
     .set = set_upstream_ca_file,
     .print = [](const Config&, const Entry& entry) { return toml_string(entry.upstream.ca_file); },
     .help = "PEM file of the certificate authorities to trust instead of the system's. A relative "
             "path in the configuration file starts at that file's directory."},
    {.key = "upstream.idle_timeout",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = hour,
     .standard = "\"9s\"",
     .set = [](Draft&, Entry& entry,
               const Value& value) { entry.upstream.idle_timeout = milliseconds{value.number}; },
     .print = [](const Config&, const Entry& entry) { return quoted(entry.upstream.idle_timeout); },
     .help = "Close an upstream connection that carried no query for this long. Public resolvers "
             "close theirs after about 10 seconds."},
    {.key = "upstream.keep_warm",
     .kind = Kind::duration,
     .minimum = 0,
     .maximum = hour,
     .standard = "\"30s\"",
     .set = [](Draft&, Entry& entry,
               const Value& value) { entry.upstream.keep_warm = milliseconds{value.number}; },
     .print = [](const Config&, const Entry& entry) { return quoted(entry.upstream.keep_warm); },
     .help = "For this long after a query, a connection that closes is opened again ahead of need, "
             "so that the next query does not wait for a handshake; at most eight times in a row "
             "without a query. \"0s\" opens connections only when there is a query."},
    {.key = "upstream.padding",
     .kind = Kind::boolean,
     .standard = "true",
     .set = [](Draft&, Entry& entry,
               const Value& value) { entry.upstream.padding = value.number != 0; },
     .print = [](const Config&,
                 const Entry& entry) { return boolean_text(entry.upstream.padding); },
     .help = "Pad queries to a multiple of 128 octets (RFC 8467), so that their length does not "
             "give the name away."},
    {.key = "upstream.source",
     .kind = Kind::text_or_list,
     .standard = "[]",
     .element = "ADDRESS",
     .set = set_upstream_source,
     .print = [](const Config&, const Entry& entry) { return sources_text(entry.upstream); },
     .help = "Addresses of this host that connections to the upstream leave from, at most one of "
             "each family. For a family without one the routing decides."},
    {.key = "upstream.interface",
     .kind = Kind::text,
     .standard = "\"\"",
     .element = "NAME",
     .set = set_upstream_interface,
     .print = [](const Config&,
                 const Entry& entry) { return toml_string(entry.upstream.interface); },
     .help = "Network interface that connections to the upstream leave through, such as a VPN's "
             "(SO_BINDTODEVICE). It need not exist yet. \"\": the routing decides."},
    {.key = "upstream.mark",
     .kind = Kind::integer,
     .minimum = 0,
     .maximum = mark_max,
     .standard = "0",
     .set =
         [](Draft&, Entry& entry, const Value& value) {
           entry.upstream.mark = static_cast<std::uint32_t>(value.number);
         },
     .print = [](const Config&, const Entry& entry) { return std::to_string(entry.upstream.mark); },
     .help =
         "Mark on the packets to the upstream, for firewall rules and policy routing (SO_MARK). "
         "It needs the capability CAP_NET_ADMIN. 0: none."},
    {.key = "hedge.budget",
     .kind = Kind::integer,
     .minimum = 0,
     .maximum = percent_max,
     .standard = "5",
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.hedge_percent = static_cast<unsigned>(value.number);
         },
     .print = [](const Config& config,
                 const Entry&) { return std::to_string(config.hedge_percent); },
     .help = "A query that takes longer than 95 of 100 at its upstream is sent to another one of "
             "the group too, and the first answer counts; where the group has no other, or its "
             "select is order or hash, over a second connection to the same one if the first is "
             "silent. At most this many percent of all queries are sent twice that way. 0: none."},
    {.key = "health.name",
     .kind = Kind::text,
     .standard = "\".\"",
     .element = "NAME",
     .set = set_health_name,
     .print =
         [](const Config& config, const Entry&) {
           return toml_string(name_to_text(config.health.probe_name.octets()));
         },
     .help = "What an upstream is asked to see whether it works: the A records of this name, or of "
             "the root the NS records."},
    {.key = "health.interval",
     .kind = Kind::duration,
     .minimum = second,
     .maximum = hour,
     .or_zero = true,
     .standard = "\"0s\"",
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.health.probe_interval = milliseconds{value.number};
         },
     .print = [](const Config& config,
                 const Entry&) { return quoted(config.health.probe_interval); },
     .help = "Ask every upstream this often, also without queries of clients. \"0s\" asks only "
             "those that failed, to see them recover; what works is seen from the queries of "
             "clients."},
    {.key = "tls.ticket_file",
     .kind = Kind::file,
     .standard = "\"\"",
     .applies = Applies::on_restart,
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.tls.ticket_file = absolute_path(draft, value); },
     .print = [](const Config& config,
                 const Entry&) { return toml_string(config.tls.ticket_file); },
     .help = "Keep the TLS session tickets of upstreams in this file across restarts, so that the "
             "first "
             "handshakes are short. It is written with mode 0600, as its reader could pose as an "
             "upstream. \"\" keeps them in memory only. A relative path in the configuration file "
             "starts at that file's directory."},
}};

}  // namespace

std::span<const Option> upstream_rows() {
  return rows;
}

}  // namespace sotto
