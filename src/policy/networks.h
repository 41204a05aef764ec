// Address ranges: who may ask. Test: tests/unit/policy/networks_test.cc.
#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sotto {

// An address in two words, to compare it with many prefixes: as every query's is.
struct AddressWords {
  AddressWords() = default;
  // address: 4 or 16 octets in network order.
  explicit AddressWords(std::span<const std::uint8_t> address) : octets(address.size()) {
    assert(octets == 4 || octets == 16);
    if (octets == 4) {
      std::uint32_t v4 = 0;
      std::memcpy(&v4, address.data(), sizeof v4);
      first = v4;
    } else {
      std::memcpy(&first, address.data(), sizeof first);
      std::memcpy(&second, address.data() + sizeof first, sizeof second);
    }
  }
  friend bool operator==(const AddressWords&, const AddressWords&) = default;

  // The octets as they are in memory; of IPv4 only the lower half of the first word is used.
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::size_t octets = 0;
};

// An address prefix, IPv4 (4 octets) or IPv6 (16).
class Network {
 public:
  // "10.0.0.0/8", "fd00::/8", "192.0.2.1" (a single host). Bits behind the prefix must be zero.
  // Error::bad_address.
  static Result<Network> parse(std::string_view text);

  // Families never match each other.
  bool contains(const AddressWords& address) const {
    return address.octets == prefix_.octets &&
           ((address.first ^ prefix_.first) & mask_.first) == 0 &&
           ((address.second ^ prefix_.second) & mask_.second) == 0;
  }
  std::string text() const;

  friend bool operator==(const Network&, const Network&) = default;

 private:
  AddressWords prefix_;
  AddressWords mask_;  // ones where the prefix counts
  unsigned bits_ = 0;
};

inline bool any_contains(const std::vector<Network>& networks,
                         std::span<const std::uint8_t> address) {
  const AddressWords words(address);
  for (const Network& network : networks) {
    if (network.contains(words)) return true;
  }
  return false;
}

// Loopback, private and link-local ranges: the default of who may ask.
const std::vector<Network>& local_networks();

}  // namespace sotto
