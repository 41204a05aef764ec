#include "frontend/stream_idle.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(StreamIdle, ShrinksBeyondHalfOfTheConnections) {
  const struct {
    std::size_t connections;
    Duration timeout;
  } cases[] = {
      {0, seconds{10}},           {1, seconds{10}},           {500, seconds{10}},
      {501, milliseconds{9'982}}, {750, milliseconds{5'500}}, {999, milliseconds{1'018}},
      {1'000, seconds{1}},        {1'001, seconds{1}},
  };
  for (const auto& one : cases) {
    const Duration timeout = idle_timeout_under_load(seconds{10}, one.connections, 1'000);
    EXPECT_EQ(timeout, one.timeout) << one.connections;
  }
}

TEST(StreamIdle, NeverGrowsWithTheLoadWhateverTheLimits) {
  for (const std::size_t connections_max : {1U, 2U, 3U, 10U, 333U}) {
    Duration before = seconds{3'600};
    for (std::size_t connections = 0; connections <= connections_max + 1; ++connections) {
      const Duration timeout =
          idle_timeout_under_load(seconds{3'600}, connections, connections_max);
      EXPECT_LE(timeout, before) << connections << " of " << connections_max;
      EXPECT_GE(timeout, seconds{360});
      before = timeout;
    }
    EXPECT_EQ(before, seconds{360});
  }
}

TEST(StreamIdle, IsAnnouncedInUnitsOfATenthOfASecond) {
  EXPECT_EQ(keepalive_units(seconds{10}), 100);
  EXPECT_EQ(keepalive_units(milliseconds{199}), 1);
  EXPECT_EQ(keepalive_units(milliseconds{99}), 0);
  EXPECT_EQ(keepalive_units(std::chrono::hours{24}), 0xFFFF);
}

}  // namespace
}  // namespace sotto
