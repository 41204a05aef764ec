// How often something took how long, in buckets whose bounds never change: for metrics.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace sotto {

struct LatencyHistogram {
  // Upper bounds, inclusive; the last bucket has none. From a server in the same rack to one that
  // nobody waits for any more.
  static constexpr std::array<Duration, 14> bounds{
      std::chrono::microseconds{500},   std::chrono::milliseconds{1},
      std::chrono::microseconds{2'500}, std::chrono::milliseconds{5},
      std::chrono::milliseconds{10},    std::chrono::milliseconds{25},
      std::chrono::milliseconds{50},    std::chrono::milliseconds{100},
      std::chrono::milliseconds{250},   std::chrono::milliseconds{500},
      std::chrono::seconds{1},          std::chrono::milliseconds{2'500},
      std::chrono::seconds{5},          std::chrono::seconds{10}};

  std::array<std::uint64_t, bounds.size() + 1> counts{};  // each bucket alone, not cumulative
  Duration sum{0};

  void add(Duration latency) {
    const auto* const bound = std::lower_bound(bounds.begin(), bounds.end(), latency);
    ++counts[static_cast<std::size_t>(bound - bounds.begin())];
    sum += latency;
  }
};

}  // namespace sotto
