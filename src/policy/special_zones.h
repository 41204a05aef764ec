// The table of special zones, each with the RFC that makes it special.
// Test: tests/unit/policy/special_names_test.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sotto {

// What is said of names in a zone.
enum class ZoneKind : std::uint8_t {
  localhost,     // loopback addresses, for the name and everything below it
  never_exists,  // NXDOMAIN, for the name itself too
  empty,         // an empty zone of RFC 6303 §3: SOA and NS at its top, NXDOMAIN below
  loopback_v4,   // empty, but for the PTR record of 127.0.0.1
  loopback_v6,   // one name, ::1, with its PTR record
  no_data,       // everything exists and has no data
};

// An uncompressed name in wire format, lower case.
struct WireName {
  static constexpr std::size_t octets_max = 76;  // the reverse name of an IPv6 address: 74
  std::array<std::uint8_t, octets_max> octets{};
  std::uint8_t length = 0;

  // text: lower case, labels without escapes, no final dot.
  consteval explicit WireName(std::string_view text) {
    std::size_t label = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (i < text.size() && text[i] != '.') {
        octets[i + 1] = static_cast<std::uint8_t>(text[i]);
        continue;
      }
      octets[label] = static_cast<std::uint8_t>(i - label);
      label = i + 1;
    }
    length = static_cast<std::uint8_t>(text.size() + 2);
  }
  constexpr std::span<const std::uint8_t> span() const { return {octets.data(), length}; }
};

struct SpecialZone {
  WireName name;
  ZoneKind kind;
  // A run of zones: those whose first label is a number from first to last, one label below name.
  std::uint8_t first = 0;
  std::uint8_t last = 0;

  constexpr bool is_run() const { return last != 0; }
};

// Top-level names; their last letter tells them apart, see find_zone() in special_names.cc
// and SpecialNames::ends_as_special().
inline constexpr SpecialZone localhost_zone{WireName("localhost"),
                                            ZoneKind::localhost};  // RFC 6761 §6.3
inline constexpr SpecialZone invalid_zone{WireName("invalid"),
                                          ZoneKind::never_exists};                 // RFC 6761 §6.4
inline constexpr SpecialZone test_zone{WireName("test"), ZoneKind::never_exists};  // RFC 6761 §6.2
inline constexpr SpecialZone onion_zone{WireName("onion"), ZoneKind::never_exists};  // RFC 7686 §2

inline constexpr SpecialZone in_addr_arpa_zones[] = {
    {WireName("10.in-addr.arpa"), ZoneKind::empty},               // RFC 6303 §4.1: RFC 1918
    {WireName("172.in-addr.arpa"), ZoneKind::empty, 16, 31},      // RFC 6303 §4.1
    {WireName("168.192.in-addr.arpa"), ZoneKind::empty},          // RFC 6303 §4.1
    {WireName("0.in-addr.arpa"), ZoneKind::empty},                // RFC 6303 §4.2: this network
    {WireName("127.in-addr.arpa"), ZoneKind::loopback_v4},        // RFC 6303 §4.2: loopback
    {WireName("254.169.in-addr.arpa"), ZoneKind::empty},          // RFC 6303 §4.2: link-local
    {WireName("2.0.192.in-addr.arpa"), ZoneKind::empty},          // RFC 6303 §4.2: TEST-NET-1
    {WireName("100.51.198.in-addr.arpa"), ZoneKind::empty},       // RFC 6303 §4.2: TEST-NET-2
    {WireName("113.0.203.in-addr.arpa"), ZoneKind::empty},        // RFC 6303 §4.2: TEST-NET-3
    {WireName("255.255.255.255.in-addr.arpa"), ZoneKind::empty},  // RFC 6303 §4.2: broadcast
    {WireName("100.in-addr.arpa"), ZoneKind::empty, 64, 127},     // RFC 7793 §4: shared addresses
};

inline constexpr SpecialZone ip6_arpa_zones[] = {
    {WireName("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa"),
     ZoneKind::empty},  // RFC 6303 §4.3: unspecified
    {WireName("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa"),
     ZoneKind::loopback_v6},                                  // RFC 6303 §4.3: loopback
    {WireName("d.f.ip6.arpa"), ZoneKind::empty},              // RFC 6303 §4.4: local addresses
    {WireName("8.e.f.ip6.arpa"), ZoneKind::empty},            // RFC 6303 §4.5: link-local
    {WireName("9.e.f.ip6.arpa"), ZoneKind::empty},            // RFC 6303 §4.5
    {WireName("a.e.f.ip6.arpa"), ZoneKind::empty},            // RFC 6303 §4.5
    {WireName("b.e.f.ip6.arpa"), ZoneKind::empty},            // RFC 6303 §4.5
    {WireName("8.b.d.0.1.0.0.2.ip6.arpa"), ZoneKind::empty},  // RFC 6303 §4.6: documentation
};

inline constexpr SpecialZone other_arpa_zones[] = {
    {WireName("home.arpa"), ZoneKind::empty},  // RFC 8375 §4
    {WireName("resolver.arpa"),
     ZoneKind::no_data},  // RFC 9462 §6.4: else clients are lured past us; designated_resolver.h
};

}  // namespace sotto
