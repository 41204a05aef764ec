#include "app/upstream_url.h"

#include <algorithm>
#include <charconv>

#include "app/providers.h"
#include "app/text.h"

namespace sotto {

namespace {

constexpr std::string_view tls_scheme = "tls";
constexpr std::size_t host_name_octets_max = 253;
constexpr std::size_t label_octets_max = 63;

// What to write for this server, given that tls:// is the only way.
std::string instead(std::string_view host) {
  const auto address = IpAddress::parse(host);
  const auto endpoint = SocketAddress::parse(host, dot_port);
  if (!address && !endpoint) {
    return "write tls://ADDRESS#AUTH-NAME";
  }
  const IpAddress ip = address ? *address : endpoint->ip;
  const Provider* provider = provider_of(ip);
  const std::string url = upstream_url({ip, dot_port}, provider ? provider->auth_name : "");
  return "write \"" + url + "\" for DNS over TLS" +
         (provider ? "" : ", with #AUTH-NAME unless the certificate names the address");
}

tl::unexpected<UrlFault> fault(std::string what, std::string suggestion = {}) {
  return tl::unexpected<UrlFault>({std::move(what), std::move(suggestion)});
}

tl::unexpected<UrlFault> fault_of_scheme(const std::string& scheme, std::string_view host) {
  if (scheme == "udp" || scheme == "tcp" || scheme == "dns") {
    return fault("a plain DNS upstream cannot be authenticated", instead(host));
  }
  if (scheme == "https" || scheme == "h3") {
    return fault("DNS over HTTPS upstreams are not supported",
                 "use DNS over TLS: tls://ADDRESS#AUTH-NAME");
  }
  if (scheme == "quic" || scheme == "doq") {
    return fault("DNS over QUIC upstreams are not supported",
                 "use DNS over TLS: tls://ADDRESS#AUTH-NAME");
  }
  return fault("unknown scheme of an upstream", "write tls://ADDRESS#AUTH-NAME");
}

tl::unexpected<UrlFault> fault_of_plain(std::string_view text) {
  if (IpAddress::parse(text) || SocketAddress::parse(text, dot_port)) {
    return fault("a plain DNS upstream cannot be authenticated", instead(text));
  }
  std::vector<std::string_view> names;
  for (const Provider& provider : providers()) names.push_back(provider.name);
  const std::string_view meant = nearest(lower_case(text), names);
  if (!meant.empty()) {
    return fault("unknown provider", "did you mean \"" + std::string(meant) + "\"?");
  }
  return fault("not an upstream", "write tls://ADDRESS#AUTH-NAME or one of " + joined(names));
}

// What stands behind "tls://".
struct Location {
  std::vector<SocketAddress> endpoints;  // one, or none for a host
  std::string host;
  std::uint16_t port = dot_port;
};

tl::expected<Location, UrlFault> parse_host(std::string_view text) {
  Location location;
  const std::size_t colon = text.find(':');
  location.host = lower_case(text.substr(0, colon));
  if (!location.host.empty() && location.host.back() == '.') location.host.pop_back();
  // Digits and dots alone are an address gone wrong: no top-level domain is numeric (RFC 3696 §2).
  const bool numeric = location.host.find_first_not_of("0123456789.") == std::string::npos;
  if (!is_host_name(location.host) || numeric) {
    return fault("neither a host nor an IP address and port",
                 "write tls://ADDRESS[:PORT][#AUTH-NAME] or tls://HOST[:PORT]");
  }
  if (find_provider(location.host) != nullptr) {
    return fault("a provider's name stands alone", "write \"" + location.host + "\"");
  }
  if (colon == std::string_view::npos) return location;
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), location.port);
  if (error != std::errc{} || end != port.data() + port.size()) {
    return fault("the port is not a number from 1 to 65535", "the port of DoT is 853");
  }
  return location;
}

tl::expected<Location, UrlFault> parse_location(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (address && !address->is_v4()) {
    // "2620:fe::fe:853" could mean a port, and would be another address.
    return fault("an IPv6 address needs brackets", "write tls://[ADDRESS]:853 or tls://[ADDRESS]");
  }
  auto location = Location{};
  if (address) {
    location.endpoints = {{*address, dot_port}};
  } else if (const auto parsed = SocketAddress::parse(text, dot_port)) {
    location.endpoints = {*parsed};
    location.port = parsed->port;
  } else if (auto host = parse_host(text)) {
    location = std::move(*host);
  } else {
    return tl::unexpected<UrlFault>(std::move(host.error()));
  }
  if (location.port == 0) return fault("port 0 cannot be connected to", "the port of DoT is 853");
  if (!location.endpoints.empty() && location.endpoints.front().ip.is_unspecified()) {
    return fault("the unspecified address cannot be connected to");
  }
  return location;
}

// text: what stands behind the '#'.
tl::expected<std::string, UrlFault> parse_auth_name(std::string_view text) {
  std::string name = lower_case(text);
  if (name.empty()) {
    return fault("the authentication name behind # is missing",
                 "without # the certificate must name the IP address or the host");
  }
  if (name.back() == '.') name.pop_back();
  if (IpAddress::parse(name)) {
    return fault("the authentication name is an address",
                 "leave #ADDRESS out if the certificate names the IP address");
  }
  if (!is_host_name(name)) {
    return fault("the authentication name is not a host name", "write tls://ADDRESS#dns.example");
  }
  return name;
}

UpstreamTarget target_of(const Provider& provider) {
  return {.text = std::string(provider.name),
          .endpoints = provider_endpoints(provider),
          .host = {},
          .auth_name = std::string(provider.auth_name),
          .is_provider = true};
}

}  // namespace

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > host_name_octets_max) return false;
  std::size_t label = 0;
  for (const char character : text) {
    if (character == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    const bool alphanumeric = (character >= 'a' && character <= 'z') ||
                              (character >= 'A' && character <= 'Z') ||
                              (character >= '0' && character <= '9');
    if (!alphanumeric && character != '-' && character != '_') return false;
    if (++label > label_octets_max) return false;
  }
  return label > 0;
}

std::string upstream_url(const SocketAddress& endpoint, std::string_view auth_name) {
  std::string url = "tls://";
  if (endpoint.port != dot_port) {
    url += endpoint.text();
  } else {
    url += endpoint.ip.is_v4() ? endpoint.ip.text() : "[" + endpoint.ip.text() + "]";
  }
  if (!auth_name.empty()) {
    url += "#";
    url += auth_name;
  }
  return url;
}

std::string upstream_url(std::string_view host, std::uint16_t port, std::string_view auth_name) {
  std::string url = "tls://" + std::string(host);
  if (port != dot_port) url += ":" + std::to_string(port);
  if (auth_name != host) url += "#" + std::string(auth_name);
  return url;
}

tl::expected<UpstreamTarget, UrlFault> parse_upstream(std::string_view text) {
  if (const Provider* provider = find_provider(lower_case(text))) return target_of(*provider);
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return fault_of_plain(text);
  const std::string scheme = lower_case(text.substr(0, colon));
  const std::string_view rest = text.substr(colon + 3);
  const std::size_t hash = std::min(rest.find('#'), rest.size());
  if (scheme != tls_scheme) return fault_of_scheme(scheme, rest.substr(0, hash));
  UpstreamTarget target;
  if (hash != rest.size()) {
    auto name = parse_auth_name(rest.substr(hash + 1));
    if (!name) return tl::unexpected<UrlFault>(std::move(name.error()));
    target.auth_name = std::move(*name);
  }
  auto location = parse_location(rest.substr(0, hash));
  if (!location) return tl::unexpected<UrlFault>(std::move(location.error()));
  target.endpoints = std::move(location->endpoints);
  target.host = std::move(location->host);
  target.port = location->port;
  if (target.host.empty()) {
    target.text = upstream_url(target.endpoints.front(), target.auth_name);
  } else {
    if (target.auth_name.empty()) target.auth_name = target.host;
    target.text = upstream_url(target.host, target.port, target.auth_name);
  }
  return target;
}

}  // namespace sotto
