#include "app/designation.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "app/text.h"

namespace sotto {

namespace {

using Addresses = Designation::Addresses;

template <class Address>
void add_once(std::vector<Address>& addresses, std::span<const std::uint8_t> octets) {
  Address address;
  std::copy(octets.begin(), octets.end(), address.begin());
  if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
    addresses.push_back(address);
  }
}

void add(Addresses& addresses, const IpAddress& address) {
  if (address.is_v4()) {
    add_once(addresses.v4, address.octets());
  } else {
    add_once(addresses.v6, address.octets());
  }
}

Addresses addresses_of(const std::vector<IpAddress>& list) {
  Addresses addresses;
  for (const IpAddress& address : list) add(addresses, address);
  return addresses;
}

// Where a client may reach a listener: its address, or those of the host for a wildcard.
std::vector<IpAddress> reachable(const SocketAddress& listener,
                                 const std::vector<IpAddress>& host) {
  std::vector<IpAddress> addresses;
  if (!listener.ip.is_unspecified()) {
    addresses.push_back(listener.ip);
  } else {
    std::copy_if(host.begin(), host.end(), std::back_inserter(addresses),
                 [&](const IpAddress& own) { return own.is_v4() == listener.ip.is_v4(); });
  }
  std::erase_if(addresses, [](const IpAddress& address) { return address.is_link_local(); });
  return addresses;
}

// An endpoint and, not yet sorted out, where it can be reached.
struct Reachable {
  Designation::Endpoint endpoint;
  std::vector<IpAddress> reachable;
};

std::optional<Reachable> reachable_of(const std::vector<ListenAddress>& listeners, bool is_https,
                                      const std::vector<IpAddress>& host) {
  std::optional<Reachable> candidate;
  for (const ListenAddress& listener : listeners) {
    const bool for_everybody = listener.client_ca.empty() || !listener.client_certificate_required;
    if (!for_everybody) continue;
    const std::string path = is_https ? listener.path : "";
    if (!candidate) {
      candidate = Reachable{{is_https, listener.address.port, path, {}}, {}};
    }
    const Designation::Endpoint& endpoint = candidate->endpoint;
    if (endpoint.port != listener.address.port || endpoint.path != path) continue;
    for (const IpAddress& address : reachable(listener.address, host)) {
      candidate->reachable.push_back(address);
    }
  }
  return candidate;
}

bool is_host_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' ||
         letter == '_' || letter == '.';
}

std::string without_dot(std::string text) {
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

std::optional<Name> resolver_name(std::string_view text) {
  const std::string lower = without_dot(lower_case(text));
  if (!std::all_of(lower.begin(), lower.end(), is_host_letter)) return std::nullopt;
  const bool is_local = lower == "localhost" || lower.ends_with(".localhost");
  if (lower.empty() || is_local || IpAddress::parse(lower)) return std::nullopt;
  const auto name = name_from_text(lower);
  if (!name || name->octets().size() > DesignatedResolver::name_octets_max) return std::nullopt;
  return *name;
}

std::optional<Name> designated_name(const Config::Discovery& discovery,
                                    const std::vector<ServerCertificate>& certificates) {
  if (discovery.name != discovery_name_auto) return resolver_name(discovery.name);
  if (certificates.empty()) return std::nullopt;
  for (const std::string& name : certificates.front().dns_names) {
    if (const auto usable = resolver_name(name)) return usable;
  }
  return std::nullopt;
}

const ServerCertificate* certificate_of(const Name& name,
                                        const std::vector<ServerCertificate>& certificates) {
  const std::string wanted = without_dot(name_to_text(name.octets()));
  const std::size_t dot = wanted.find('.');  // a wildcard stands for one label, RFC 6125 §6.4.3
  const std::string wildcard = dot == std::string::npos ? wanted : "*" + wanted.substr(dot);
  for (const std::string& proven : {wanted, wildcard}) {
    for (const ServerCertificate& certificate : certificates) {
      const auto& names = certificate.dns_names;  // in lower case
      if (std::find(names.begin(), names.end(), proven) != names.end()) return &certificate;
    }
  }
  return nullptr;
}

Designation designated_endpoints(const Config::Discovery& discovery, const Config::Listen& listen,
                                 const std::vector<IpAddress>& host) {
  std::vector<Reachable> candidates;
  for (const bool is_https : {false, true}) {
    auto candidate = reachable_of(is_https ? listen.https : listen.tls, is_https, host);
    if (candidate) candidates.push_back(std::move(*candidate));
  }
  const auto beyond_loopback = [](const Reachable& candidate) {
    return !std::all_of(candidate.reachable.begin(), candidate.reachable.end(),
                        [](const IpAddress& address) { return address.is_loopback(); });
  };
  const bool only_loopback = std::none_of(candidates.begin(), candidates.end(), beyond_loopback);

  Designation designation;
  for (Reachable& candidate : candidates) {
    if (!discovery.addresses.empty()) {
      candidate.reachable = discovery.addresses;
    } else if (!only_loopback) {
      std::erase_if(candidate.reachable,
                    [](const IpAddress& address) { return address.is_loopback(); });
    }
    if (candidate.reachable.empty()) continue;  // others are better off without
    for (const IpAddress& address : candidate.reachable) add(designation.addresses, address);
    candidate.endpoint.addresses = addresses_of(candidate.reachable);
    designation.endpoints.push_back(std::move(candidate.endpoint));
  }
  return designation;
}

std::vector<IpAddress> announced(const Addresses& addresses) {
  const auto first = [](const auto& all) {
    return std::span(all).first(std::min(all.size(), designated_addresses_max));
  };
  std::vector<IpAddress> list;
  for (const auto& octets : first(addresses.v4)) list.push_back(IpAddress::v4(octets));
  for (const auto& octets : first(addresses.v6)) list.push_back(IpAddress::v6(octets));
  return list;
}

}  // namespace sotto
