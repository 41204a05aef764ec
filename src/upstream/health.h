// Whether an endpoint that can be connected to serves well: the outcome of recent queries, and a
// circuit breaker that opens when too many were bad. While it is open, others are asked if there
// are any, and one cheap query at a time finds out whether it is over.
// Test: tests/unit/upstream/health_test.cc.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/random.h"

namespace sotto {

// Outcomes are halved when there are this many, so that old ones fade.
inline constexpr std::uint32_t outcomes_max = 64;
// Fewer tell nothing: bad luck comes in pairs.
inline constexpr std::uint32_t outcomes_min = 16;
// The breaker opens for one second, doubling up to ten.
inline constexpr Duration breaker_first = std::chrono::seconds{1};
inline constexpr Duration breaker_max = std::chrono::seconds{10};

class Health {
 public:
  // A right answer. While the breaker is open, this closes it.
  void on_good();
  // No answer, a wrong one, or a failure that another upstream knew better. True if the breaker
  // opens by it.
  bool on_bad(Instant now, Random& random);

  bool open() const { return delay_ != Duration{0}; }
  // While open: when the next probe may be sent; never otherwise.
  Instant probe_due() const { return open() ? probe_due_ : never; }
  // One is being sent; the next one comes after twice the time.
  void on_probe(Instant now, Random& random);
  void reset() { *this = Health{}; }

 private:
  void wait(Duration delay, Instant now, Random& random);

  std::uint32_t good_ = 0;
  std::uint32_t bad_ = 0;
  Duration delay_{0};  // zero: closed
  Instant probe_due_{};
};

}  // namespace sotto
