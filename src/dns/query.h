// A client's query: one validating pass, then a view. RFC 1035 §4.1, RFC 6891, RFC 5625.
// Test: tests/unit/dns/query_test.cc, tests/fuzz/query_fuzz.cc.
#pragma once

#include <cstdint>
#include <span>

#include "dns/constants.h"

namespace sotto {

// What OPT of a query says; everything else in it is ignored (RFC 6891 §6.1.2).
struct QueryEdns {
  bool present = false;
  std::uint8_t version = 0;
  std::uint16_t udp_octets = plain_udp_octets_max;  // at least 512, as sent otherwise
  bool dnssec_ok = false;
  bool padding = false;
  bool keepalive = false;
};

// Views into the octets that were parsed; valid as long as they are.
struct Query {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;  // the header's second field
  std::span<const std::uint8_t>
      qname;  // uncompressed, as the client spelled it; empty if unreadable
  std::uint16_t qtype = 0;
  std::uint16_t qclass = 0;
  QueryEdns edns;

  bool recursion_desired() const { return (flags & flag::recursion_desired) != 0; }
  bool checking_disabled() const { return (flags & flag::checking_disabled) != 0; }
  // AD may be given to a client that sent AD or DO (RFC 6840 §5.8).
  bool wants_authentic_data() const {
    return (flags & flag::authentic_data) != 0 || edns.dnssec_ok;
  }
};

enum class Verdict : std::uint8_t {
  accept,   // one question, well-formed
  drop,     // QR=1, or shorter than a header: silence
  formerr,  // answer FORMERR
  notimp,   // another opcode, AXFR, IXFR: answer NOTIMP
  badvers,  // EDNS version above 0: answer BADVERS
};

// Fills query as far as the message is readable: always ID and flags unless the verdict is drop,
// and the question where one could be read, so that an error response can echo it. Octets behind
// the last record are ignored and never forwarded.
Verdict parse_query(std::span<const std::uint8_t> message, Query& query);

}  // namespace sotto
