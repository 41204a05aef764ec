// DoH servers as sotto query takes them: https://HOST-OR-ADDRESS[:443][/PATH][#AUTH-NAME].
// Test: tests/unit/app/query/https_url_test.cc.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "app/upstream_url.h"
#include "transport/address.h"

namespace sotto {

inline constexpr std::uint16_t https_port = 443;

struct HttpsTarget {
  SocketAddress endpoint;  // its address is unspecified if there is a host
  std::string host;        // whose address is to be looked up; lower case; empty: none
  std::string auth_name;   // empty: authenticated by IP SAN
  std::string authority;   // for `:authority`: "dns.example", "192.0.2.1:8443"
  std::string path;        // "/dns-query" if none is given
};

tl::expected<HttpsTarget, UrlFault> parse_https(std::string_view text);

}  // namespace sotto
