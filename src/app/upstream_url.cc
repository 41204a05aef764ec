#include "app/upstream_url.h"

#include <algorithm>

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

// The host of a URL that is no address: probably a name, which would have to be looked up.
tl::unexpected<UrlFault> fault_of_host(std::string_view host, std::string_view auth_name) {
  const std::string_view name = host.substr(0, host.find(':'));
  // Digits and dots alone are an address gone wrong: no top-level domain is numeric (RFC 3696 §2).
  const bool numeric = name.find_first_not_of("0123456789.") == std::string_view::npos;
  if (!is_host_name(name) || numeric) {
    return fault("not an IP address and port", "write tls://ADDRESS[:PORT][#AUTH-NAME]");
  }
  for (const Provider& provider : providers()) {
    if (lower_case(name) == provider.auth_name || lower_case(name) == provider.name) {
      return fault("an upstream needs an IP address, names are not looked up",
                   "write \"" + std::string(provider.name) + "\"");
    }
  }
  return fault("an upstream needs an IP address, names are not looked up",
               "write tls://ADDRESS#" + std::string(auth_name.empty() ? name : auth_name));
}

UpstreamTarget target_of(const Provider& provider) {
  return {std::string(provider.name), provider_endpoints(provider), std::string(provider.auth_name),
          true};
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

tl::expected<UpstreamTarget, UrlFault> parse_upstream(std::string_view text) {
  if (const Provider* provider = find_provider(lower_case(text))) return target_of(*provider);
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return fault_of_plain(text);
  const std::string scheme = lower_case(text.substr(0, colon));
  std::string_view host = text.substr(colon + 3);
  std::string auth_name;
  const std::size_t hash = host.find('#');
  if (hash != std::string_view::npos) {
    auth_name = lower_case(host.substr(hash + 1));
    host = host.substr(0, hash);
  }
  if (scheme != tls_scheme) return fault_of_scheme(scheme, host);
  if (hash != std::string_view::npos && auth_name.empty()) {
    return fault("the authentication name behind # is missing",
                 "without # the certificate must name the IP address");
  }
  if (!auth_name.empty() && auth_name.back() == '.') auth_name.pop_back();
  if (hash != std::string_view::npos && IpAddress::parse(auth_name)) {
    return fault("the authentication name is an address",
                 "leave #ADDRESS out if the certificate names the IP address");
  }
  if (hash != std::string_view::npos && !is_host_name(auth_name)) {
    return fault("the authentication name is not a host name", "write tls://ADDRESS#dns.example");
  }
  SocketAddress endpoint{IpAddress{}, dot_port};
  if (const auto address = IpAddress::parse(host); address && !address->is_v4()) {
    // "2620:fe::fe:853" could mean a port, and would be another address.
    return fault("an IPv6 address needs brackets", "write tls://[ADDRESS]:853 or tls://[ADDRESS]");
  } else if (address) {
    endpoint.ip = *address;
  } else if (const auto parsed = SocketAddress::parse(host, dot_port)) {
    endpoint = *parsed;
  } else {
    return fault_of_host(host, auth_name);
  }
  if (endpoint.port == 0) return fault("port 0 cannot be connected to", "the port of DoT is 853");
  if (endpoint.ip.is_unspecified()) {
    return fault("the unspecified address cannot be connected to");
  }
  return UpstreamTarget{upstream_url(endpoint, auth_name), {endpoint}, auth_name, false};
}

}  // namespace sotto
