// IP addresses and ports, and their text form. No socket here.
// Test: tests/unit/transport/address_test.cc.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sotto {

// An IPv4 or IPv6 address in network order. IPv4-mapped IPv6 addresses are stored as IPv4, so one
// host has one form.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::span<const std::uint8_t, 4> octets);
  static IpAddress v6(std::span<const std::uint8_t, 16> octets, std::uint32_t scope = 0);
  // "192.0.2.1", "2001:db8::1", "fe80::1%eth0". Error::bad_address.
  static Result<IpAddress> parse(std::string_view text);

  bool is_v4() const { return v4_; }
  std::uint32_t scope() const { return scope_; }  // interface index of a link-local address
  // 4 or 16 octets; valid as long as this object.
  std::span<const std::uint8_t> octets() const { return {octets_.data(), v4_ ? 4U : 16U}; }
  bool is_unspecified() const;
  bool is_loopback() const;    // 127.0.0.0/8, ::1
  bool is_link_local() const;  // 169.254.0.0/16, fe80::/10: good on one link only
  std::string text() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  std::uint32_t scope_ = 0;
  bool v4_ = true;
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  // "192.0.2.1:53", "[2001:db8::1]:53". Without a port ("::1" and "[::1]" are the same then),
  // default_port; if that is 0, a port is demanded. A port of 0 is left to the caller to refuse.
  // Error::bad_address.
  static Result<SocketAddress> parse(std::string_view text, std::uint16_t default_port = 0);
  std::string text() const;

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

}  // namespace sotto
