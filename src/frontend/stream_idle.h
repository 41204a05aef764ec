// How long a connection may be silent: the busier the listeners, the shorter. What is announced to
// clients and what is enforced is the same (RFC 7828 §3.4, RFC 9210 §4.4).
// Test: tests/unit/frontend/stream_idle_test.cc.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace sotto {

// What is left of the time-out when there is no room for another connection.
inline constexpr int idle_timeout_divisor_max = 10;

// All of full while at most half of the connections are taken, then less in proportion, down to a
// tenth of it when all are.
constexpr Duration idle_timeout_under_load(Duration full, std::size_t connections,
                                           std::size_t connections_max) {
  const std::size_t half = connections_max / 2;
  if (connections <= half) return full;
  const Duration least = full / idle_timeout_divisor_max;
  if (connections >= connections_max) return least;
  const auto room = static_cast<Duration::rep>(connections_max - connections);
  // In milliseconds, so that no product overflows.
  const auto shrinks = std::chrono::duration_cast<std::chrono::milliseconds>(full - least);
  return least + shrinks * room / static_cast<Duration::rep>(connections_max - half);
}

// In the units of edns-tcp-keepalive, 100 ms, rounded down. Zero would ask the client to close.
constexpr std::uint16_t keepalive_units(Duration timeout) {
  constexpr Duration::rep units_max = 0xFFFF;
  return static_cast<std::uint16_t>(
      std::clamp<Duration::rep>(timeout / std::chrono::milliseconds{100}, 0, units_max));
}

}  // namespace sotto
