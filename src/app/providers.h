// Public resolvers that can be named instead of spelled out. Test:
// tests/unit/app/upstream_url_test.cc.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "transport/address.h"

namespace sotto {

struct Provider {
  std::string_view name;
  std::string_view auth_name;                 // as the provider documents it for DNS over TLS
  std::array<std::string_view, 4> addresses;  // in order of preference
  std::string_view about;
};

std::span<const Provider> providers();

// By name in lower case, or null.
const Provider* find_provider(std::string_view name);

// The provider that owns this address, or null.
const Provider* provider_of(const IpAddress& address);

// All endpoints, port 853.
std::vector<SocketAddress> provider_endpoints(const Provider& provider);

}  // namespace sotto
