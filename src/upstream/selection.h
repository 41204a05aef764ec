// In which order the upstreams of a group are tried for a question. Decides by numbers alone; what
// they mean, the pool knows. Test: tests/unit/upstream/selection_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "dns/question.h"

namespace sotto {

// How a group chooses among its upstreams.
enum class Selection : std::uint8_t {
  fastest,  // the better of two taken at random, so that load spreads and slow ones fade
  order,    // the first that works
  random,   // any that works
  hash,     // by the question's registrable name: the same name always goes to the same upstream
  all,      // every one, and the first answer counts
};

// How many upstreams a group that asks all of them may have: each query leaves that often.
inline constexpr std::size_t race_max = 4;

// One upstream of a group, as far as choosing goes.
struct Candidate {
  std::uint32_t place = 0;      // in the group
  std::uint64_t name_hash = 0;  // of its name, the same in every process
  bool avoided = false;         // fails just now: last
  Duration expected{0};         // how long an answer takes; zero: unknown
  std::size_t in_flight = 0;
};

// Two that differ less than this are alike, and the one with fewer queries in flight is taken.
inline constexpr double alike_factor = 1.5;
inline constexpr Duration alike_margin = std::chrono::milliseconds{2};

bool alike(Duration one, Duration other);

// "fastest", "order", …
std::string_view to_text(Selection selection);

// Sorts candidates: the one to be tried first in front.
void rank(Selection selection, const Question& question, Random& random,
          std::vector<Candidate>& candidates);

}  // namespace sotto
