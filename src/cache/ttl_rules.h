// What of an upstream's answer may be kept, and for how long: RFC 2308, RFC 2181 §8, RFC 8767 §4.
// Test: tests/unit/cache/ttl_rules_test.cc.
#pragma once

#include <cstdint>

#include "dns/answer.h"
#include "dns/question.h"

namespace sotto {

// Seconds. An answer without OPT to a question with DO came without signatures for want of EDNS,
// not of a signature. Whoever validates cannot use it; a server that was taken for one without EDNS
// may be found to know it any moment.
inline constexpr std::uint32_t without_opt_ttl_max = 30;

struct TtlRules {
  // Seconds. What is lower is raised to it, 0 and negative answers included: the one case in which
  // a TTL exceeds the upstream's. A maximum below it wins.
  std::uint32_t ttl_min = 0;
  std::uint32_t ttl_max = 86'400;
  std::uint32_t negative_ttl_max = 3'600;
};

// Bounds the TTLs inside answer, as it is given to clients and kept. An answer is negative if it is
// NXDOMAIN or holds nothing of the type asked for, also at the end of a CNAME chain; its SOA's TTL
// becomes at most its MINIMUM (RFC 2308 §5) and negative_ttl_max. Without OPT, where the question
// has DO, without_opt_ttl_max is the bound of all. Sets answer.ttl_min anew. Returns
// whether the answer may be kept for that long: not if it is truncated, a failure, negative without
// SOA (RFC 2308 §5; a referral is), or if ttl_min is 0. No allocation.
bool apply_ttl_rules(Answer& answer, const Question& question, const TtlRules& rules);

}  // namespace sotto
