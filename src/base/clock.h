// Time as the core sees it: an instant of a monotonic clock, handed in by whoever drives the core.
// Only clock.cc reads a clock; tests/tidy checks it.
#pragma once

#include <chrono>

namespace sotto {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// A deadline that is never reached.
inline constexpr Instant never = Instant::max();

// CLOCK_MONOTONIC.
Instant monotonic_now();

// Seconds since 1970 UTC, for certificates and logs; may jump.
std::chrono::system_clock::time_point wall_now();

}  // namespace sotto
