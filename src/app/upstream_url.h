// Upstreams as they are written: tls://ADDRESS[:853][#AUTH-NAME], tls://HOST[:853][#AUTH-NAME], or
// a provider's name. Test: tests/unit/app/upstream_url_test.cc.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "transport/address.h"

namespace sotto {

inline constexpr std::uint16_t dot_port = 853;  // RFC 7858 §3.1

// What one URL stands for.
struct UpstreamTarget {
  std::string text;  // canonical: the provider's name, or a URL without what goes without saying
  std::vector<SocketAddress> endpoints;  // at least one, or none for a host
  std::string host;                      // whose addresses are looked up; lower case
  std::uint16_t port = dot_port;         // of the host
  std::string auth_name;                 // lower case; empty: authenticated by IP SAN
  bool is_provider = false;
};

// Why a URL cannot be used: what is wrong, and what to write instead (may be empty).
struct UrlFault {
  std::string what;
  std::string suggestion;
};

tl::expected<UpstreamTarget, UrlFault> parse_upstream(std::string_view text);

// "tls://1.1.1.1#cloudflare-dns.com", "tls://[2001:db8::1]:8853".
std::string upstream_url(const SocketAddress& endpoint, std::string_view auth_name);
// "tls://dns.example", "tls://dns.example:8853#other.example".
std::string upstream_url(std::string_view host, std::uint16_t port, std::string_view auth_name);

// Is this a host name that a certificate can carry? Letters, digits, hyphens, underscores, dots.
bool is_host_name(std::string_view text);

}  // namespace sotto
