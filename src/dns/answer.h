// An upstream's response in the form we keep: rewritten once, finished for each client by
// dns/response.h. Test: tests/unit/dns/answer_test.cc, tests/fuzz/answer_fuzz.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "dns/constants.h"
#include "dns/ede_text.h"
#include "dns/question.h"

namespace sotto {

struct ExtendedError {
  std::uint16_t code = 0;
  EdeText text;
};

// Where an RRset ends, so that truncation never cuts inside one.
struct RrsetEnd {
  std::uint32_t offset;   // of the octet behind it, in Answer::message
  std::uint16_t answers;  // records up to here, by section
  std::uint16_t authorities;
  std::uint16_t additionals;
};

// Reused from answer to answer; clear() keeps the memory.
struct Answer {
  // Header, question and records without OPT. The ID is zero; of the flags only TC and AD as the
  // upstream set them and the low four bits of the RCODE are kept. At most 65,535 octets.
  std::vector<std::uint8_t> message;
  std::vector<RrsetEnd> rrset_ends;
  std::uint16_t rcode = 0;                      // twelve bits
  std::uint32_t ttl_min = 0;                    // seconds, over all records; 0 without records
  bool edns = false;                            // the upstream sent OPT
  std::optional<ExtendedError> extended_error;  // the first one sent
  std::optional<std::uint16_t> keepalive;       // edns-tcp-keepalive, units of 100 ms (RFC 7828)

  bool truncated() const;
  bool authentic() const;
  // Neither an answer nor the statement that there is none.
  bool is_failure() const;
  // By its EDE the upstream validated or filtered on purpose (RFC 8914 §4): another one would not
  // know better, and what was known before does not stand in for it.
  bool is_deliberate() const;
  void clear();
};

// Parses a whole response and writes it anew into answer: owners and the names inside the RDATA of
// the types of RFC 1035 and RFC 3597 §4 decompressed and compressed anew, unknown RDATA untouched,
// record order kept, OPT taken out, and, unless the question has DO, RRSIG, NSEC and NSEC3 that
// were not asked for left out (RFC 4035 §3.2.1). The TTLs inside an RRset become its lowest (RFC
// 2181 §5.2); one with the top bit set counts as a large value (RFC 8767 §4), 2^31-1. The message's
// question must match (Question::matches()); the caller has checked it.
Result<void> rewrite_response(std::span<const std::uint8_t> message, const Question& question,
                              Answer& answer);

}  // namespace sotto
