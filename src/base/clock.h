// Time as the core sees it: an instant of a monotonic clock, handed in by whoever drives the core.
// Only clock.cc reads a clock; tests/tidy checks it. Test: tests/unit/base/clock_test.cc.
#pragma once

#include <chrono>

namespace sotto {

using Duration = std::chrono::nanoseconds;

// CLOCK_BOOTTIME: counts the time the machine was suspended, too, so that no answer outlives its
// TTL and no idle connection is taken for fresh after a night in a bag. A type of its own, because
// instants of std::chrono::steady_clock, which stands still meanwhile, mean something else.
struct BootClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<BootClock, Duration>;
  static constexpr bool is_steady = true;
};
using Instant = BootClock::time_point;

// A deadline that is never reached.
inline constexpr Instant never = Instant::max();

// Does not enter the kernel where the vDSO knows the clock (Linux 5.3 and later).
Instant monotonic_now();

// Seconds since 1970 UTC, for certificates and logs; may jump.
std::chrono::system_clock::time_point wall_now();

}  // namespace sotto
