// Time in entries: 32 bits, sixteenths of a second, counted so that what was stored long before
// this process began can be told too. Wraps after eight years.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace sotto {

using Tick = std::uint32_t;

inline constexpr std::uint32_t ticks_per_second = 16;
inline constexpr Duration tick_length = std::chrono::nanoseconds{1'000'000'000} / ticks_per_second;

class CacheClock {
 public:
  explicit CacheClock(Instant begin) : begin_(begin) {}

  // Rounded down: an age computed from it is never too small by more than it was cut at its begin.
  Tick tick(Instant now) const {
    return before_begin + static_cast<Tick>(std::max(now - begin_, -age_max) / tick_length);
  }
  // When something of this age now was stored.
  Tick tick_before(Instant now, Duration age) const {
    return tick(now) -
           static_cast<Tick>((std::min(age, age_max) + tick_length - Duration{1}) / tick_length);
  }

  // What is older is as good as that old.
  static constexpr Duration age_max = std::chrono::hours{24 * 365};

 private:
  static constexpr Tick before_begin = Tick{1} << 30U;  // two years
  static_assert(2 * (age_max / tick_length) < before_begin);
  Instant begin_;
};

}  // namespace sotto
