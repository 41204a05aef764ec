// What clients are told of the encrypted listeners.
#include <algorithm>
#include <array>

#include "app/designation.h"
#include "app/option_rows.h"
#include "app/option_setters.h"
#include "app/text.h"

namespace sotto {

namespace {

using Kind = Option::Kind;

void set_name(Draft& draft, Entry&, const Value& value) {
  const bool is_name = !value.text.empty() && value.text != discovery_name_auto;
  if (is_name && !resolver_name(value.text)) {
    const Text given{value.text, value.place};
    return complain(draft, given, "not the name of a host",
                    IpAddress::parse(value.text)
                        ? "addresses go to discovery.addresses"
                        : "write a name that the certificate holds, \"dns.example.net\"");
  }
  draft.config.discovery.name = lower_case(value.text);
  if (draft.config.discovery.name.ends_with('.')) draft.config.discovery.name.pop_back();
}

void set_addresses(Draft& draft, Entry&, const Value& value) {
  std::vector<IpAddress>& addresses = draft.config.discovery.addresses;
  addresses.clear();
  for (const Text& element : value.list) {
    const auto address = IpAddress::parse(element.text);
    if (!address) {
      complain(draft, element, "not an address", "write \"192.0.2.1\" or \"2001:db8::1\"");
    } else if (address->is_unspecified() || address->is_link_local()) {
      complain(draft, element, "clients cannot connect to this address",
               "name the address they reach sotto at");
    } else if (std::find(addresses.begin(), addresses.end(), *address) != addresses.end()) {
      complain(draft, element, "this address is listed twice");
    } else {
      addresses.push_back(*address);
    }
  }
}

std::string addresses_text(const Config& config) {
  std::vector<std::string> texts;
  for (const IpAddress& address : config.discovery.addresses) texts.push_back(address.text());
  return toml_list(texts);
}

constexpr std::array<Option, 2> rows{{
    {.key = "discovery.name",
     .kind = Kind::text,
     .standard = "\"auto\"",
     .element = "NAME",
     .set = set_name,
     .print = [](const Config& config, const Entry&) { return toml_string(config.discovery.name); },
     .help = "The name under which clients of plain DNS find the listeners of listen.tls and "
             "listen.https (RFC 9462): _dns.resolver.arpa is answered with it, and the name itself "
             "with addresses. The certificate must hold it. \"auto\" is the first host name in the "
             "first certificate of server_tls; \"\" announces nothing. Listeners that require a "
             "client certificate are not announced."},
    {.key = "discovery.addresses",
     .kind = Kind::list,
     .standard = "[]",
     .element = "ADDR",
     .set = set_addresses,
     .print = [](const Config& config, const Entry&) { return addresses_text(config); },
     .help = "Addresses at which clients reach these listeners, where they are others than sotto "
             "listens on: behind a load balancer or address translation. [] is those of the "
             "listeners, and for 0.0.0.0 and [::] the host's own. The first six of each family "
             "are announced."},
}};

}  // namespace

std::span<const Option> discovery_rows() {
  return rows;
}

}  // namespace sotto
