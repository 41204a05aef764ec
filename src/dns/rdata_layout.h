// Which record types have names in their RDATA that may arrive compressed, and where: the types of
// RFC 1035 §3.3 and those of RFC 3597 §4. All other RDATA is opaque.
// Test: tests/unit/dns/answer_test.cc.
#pragma once

#include <array>
#include <cstdint>

namespace sotto {

// RDATA is: fixed octets, character strings, names, and a tail.
struct RdataLayout {
  std::uint8_t fixed_octets = 0;
  std::uint8_t strings = 0;  // length octet and content
  std::uint8_t names = 0;    // 0: opaque, nothing else applies
  std::uint8_t tail_octets = 0;
  bool tail_any = false;  // the tail is as long as it is
  bool compress = false;  // RFC 3597 §4: only the types of RFC 1035 are sent compressed
};

// Valid in every class, as RFC 1035 defines them so.
inline constexpr std::array<RdataLayout, 36> rdata_layouts = [] {
  constexpr RdataLayout one_name = {.names = 1, .compress = true};
  constexpr RdataLayout two_names = {.names = 2, .compress = true};
  std::array<RdataLayout, 36> layouts{};
  layouts[2] = one_name;                                             // NS
  layouts[3] = one_name;                                             // MD
  layouts[4] = one_name;                                             // MF
  layouts[5] = one_name;                                             // CNAME
  layouts[6] = {.names = 2, .tail_octets = 20, .compress = true};    // SOA
  layouts[7] = one_name;                                             // MB
  layouts[8] = one_name;                                             // MG
  layouts[9] = one_name;                                             // MR
  layouts[12] = one_name;                                            // PTR
  layouts[14] = two_names;                                           // MINFO
  layouts[15] = {.fixed_octets = 2, .names = 1, .compress = true};   // MX
  layouts[17] = {.names = 2};                                        // RP
  layouts[18] = {.fixed_octets = 2, .names = 1};                     // AFSDB
  layouts[21] = {.fixed_octets = 2, .names = 1};                     // RT
  layouts[24] = {.fixed_octets = 18, .names = 1, .tail_any = true};  // SIG
  layouts[26] = {.fixed_octets = 2, .names = 2};                     // PX
  layouts[30] = {.names = 1, .tail_any = true};                      // NXT
  layouts[33] = {.fixed_octets = 6, .names = 1};                     // SRV
  layouts[35] = {.fixed_octets = 4, .strings = 3, .names = 1};       // NAPTR
  return layouts;
}();

constexpr RdataLayout rdata_layout(std::uint16_t type) {
  return type < rdata_layouts.size() ? rdata_layouts[type] : RdataLayout{};
}

}  // namespace sotto
