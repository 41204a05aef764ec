// Address ranges: who may ask. Test: tests/unit/policy/networks_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sotto {

// An address prefix, IPv4 (4 octets) or IPv6 (16).
class Network {
 public:
  // "10.0.0.0/8", "fd00::/8", "192.0.2.1" (a single host). Bits behind the prefix must be zero.
  // Error::bad_address.
  static Result<Network> parse(std::string_view text);

  // address: 4 or 16 octets in network order; families never match each other.
  bool contains(std::span<const std::uint8_t> address) const;
  std::string text() const;

  friend bool operator==(const Network&, const Network&) = default;

 private:
  std::array<std::uint8_t, 16> prefix_{};
  std::uint8_t octets_ = 4;
  std::uint8_t bits_ = 0;
};

bool any_contains(const std::vector<Network>& networks, std::span<const std::uint8_t> address);

// Loopback, private and link-local ranges: the default of who may ask.
const std::vector<Network>& local_networks();

}  // namespace sotto
