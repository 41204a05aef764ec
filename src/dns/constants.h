// Numbers of the DNS protocol: header layout (RFC 1035 §4.1.1), types, codes, sizes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sotto {

inline constexpr std::size_t header_octets = 12;
inline constexpr std::size_t question_tail_octets = 4;  // type and class behind a question's name
inline constexpr std::size_t name_octets_max = 255;     // RFC 1035 §2.3.4
inline constexpr std::size_t message_octets_max = 65'535;  // RFC 1035 §4.2.2, two octets of length
inline constexpr std::size_t stream_length_octets = 2;

// Without EDNS a client takes no more over UDP (RFC 1035 §4.2.1).
inline constexpr std::uint16_t plain_udp_octets_max = 512;
// What we offer and never exceed over UDP: fits every path unfragmented (RFC 9715).
inline constexpr std::uint16_t edns_udp_octets_max = 1'232;

namespace flag {                                   // of the header's second 16-bit field
inline constexpr std::uint16_t response = 0x8000;  // QR
inline constexpr std::uint16_t opcode_mask = 0x7800;
inline constexpr std::uint16_t authoritative = 0x0400;        // AA
inline constexpr std::uint16_t truncated = 0x0200;            // TC
inline constexpr std::uint16_t recursion_desired = 0x0100;    // RD
inline constexpr std::uint16_t recursion_available = 0x0080;  // RA
inline constexpr std::uint16_t authentic_data = 0x0020;       // AD, RFC 4035 §3.2.3
inline constexpr std::uint16_t checking_disabled = 0x0010;    // CD
inline constexpr std::uint16_t rcode_mask = 0x000F;
}  // namespace flag

inline constexpr std::uint32_t edns_do = 0x8000;  // in the TTL field of OPT, RFC 6891 §6.1.4

namespace rcode {  // twelve bits, the upper eight in OPT
inline constexpr std::uint16_t noerror = 0;
inline constexpr std::uint16_t formerr = 1;
inline constexpr std::uint16_t servfail = 2;
inline constexpr std::uint16_t nxdomain = 3;
inline constexpr std::uint16_t notimp = 4;
inline constexpr std::uint16_t refused = 5;
inline constexpr std::uint16_t yxdomain = 6;  // of DNAME: the name would be too long (RFC 6672)
inline constexpr std::uint16_t badvers = 16;
inline constexpr std::uint16_t badcookie = 23;  // RFC 7873 §8
}  // namespace rcode

namespace rtype {
inline constexpr std::uint16_t a = 1;
inline constexpr std::uint16_t ns = 2;
inline constexpr std::uint16_t cname = 5;
inline constexpr std::uint16_t soa = 6;
inline constexpr std::uint16_t ptr = 12;
inline constexpr std::uint16_t mx = 15;
inline constexpr std::uint16_t txt = 16;
inline constexpr std::uint16_t aaaa = 28;
inline constexpr std::uint16_t dname = 39;
inline constexpr std::uint16_t opt = 41;
inline constexpr std::uint16_t rrsig = 46;
inline constexpr std::uint16_t nsec = 47;
inline constexpr std::uint16_t nsec3 = 50;
inline constexpr std::uint16_t ixfr = 251;
inline constexpr std::uint16_t axfr = 252;
inline constexpr std::uint16_t any = 255;
}  // namespace rtype

namespace rclass {
inline constexpr std::uint16_t in = 1;
}  // namespace rclass

namespace edns_option {
inline constexpr std::uint16_t keepalive = 11;       // RFC 7828
inline constexpr std::uint16_t padding = 12;         // RFC 7830
inline constexpr std::uint16_t extended_error = 15;  // RFC 8914
}  // namespace edns_option

namespace ede {  // INFO-CODEs, RFC 8914 §4
inline constexpr std::uint16_t other = 0;
inline constexpr std::uint16_t stale_answer = 3;
inline constexpr std::uint16_t cached_error = 13;
inline constexpr std::uint16_t blocked = 15;
inline constexpr std::uint16_t prohibited = 18;
inline constexpr std::uint16_t stale_nxdomain = 19;
inline constexpr std::uint16_t not_supported = 21;
inline constexpr std::uint16_t no_reachable_authority = 22;
inline constexpr std::uint16_t network_error = 23;
inline constexpr std::uint16_t invalid_data = 24;
}  // namespace ede

// RFC 8467 §4.1, §4.2.
inline constexpr std::size_t query_padding_block = 128;
inline constexpr std::size_t response_padding_block = 468;

}  // namespace sotto
