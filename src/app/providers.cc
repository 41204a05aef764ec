#include "app/providers.h"

#include <algorithm>
#include <cassert>

#include "app/upstream_url.h"

namespace sotto {

namespace {

// https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-tls/,
// https://www.quad9.net/service/service-addresses-and-features/,
// https://developers.google.com/speed/public-dns/docs/dns-over-tls.
constexpr std::array<Provider, 3> known{{
    {"cloudflare",
     "cloudflare-dns.com",
     {"1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"},
     "Cloudflare, unfiltered"},
    {"quad9",
     "dns.quad9.net",
     {"9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"},
     "Quad9, blocks malicious names"},
    {"google",
     "dns.google",
     {"8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"},
     "Google Public DNS, unfiltered"},
}};

}  // namespace

std::span<const Provider> providers() {
  return known;
}

const Provider* find_provider(std::string_view name) {
  const auto* found =
      std::find_if(known.begin(), known.end(), [&](const Provider& p) { return p.name == name; });
  return found == known.end() ? nullptr : found;
}

const Provider* provider_of(const IpAddress& address) {
  const auto* found = std::find_if(known.begin(), known.end(), [&](const Provider& provider) {
    return std::any_of(provider.addresses.begin(), provider.addresses.end(),
                       [&](std::string_view text) { return IpAddress::parse(text) == address; });
  });
  return found == known.end() ? nullptr : found;
}

std::vector<SocketAddress> provider_endpoints(const Provider& provider) {
  std::vector<SocketAddress> endpoints;
  for (const std::string_view text : provider.addresses) {
    const auto address = IpAddress::parse(text);
    assert(address.has_value());
    endpoints.push_back({*address, dot_port});
  }
  return endpoints;
}

}  // namespace sotto
