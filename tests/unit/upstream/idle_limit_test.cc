#include "upstream/idle_limit.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant now{seconds{10'000}};

TEST(IdleLimit, NothingIsKnownAtFirst) {
  EXPECT_EQ(IdleLimit{}.get(now), std::nullopt);
  EXPECT_EQ(IdleLimit{}.apply(seconds{9}, now), seconds{9});
}

TEST(IdleLimit, StaysBelowWhatTheServerDoes) {
  IdleLimit limit;
  limit.on_closed_idle(seconds{2}, now);
  EXPECT_EQ(limit.get(now), milliseconds{1'750});
  EXPECT_EQ(limit.apply(seconds{9}, now), milliseconds{1'750});
  EXPECT_EQ(limit.apply(seconds{1}, now), seconds{1}) << "the configuration may be shorter";
}

TEST(IdleLimit, AServerThatClosesAtOnceDoesNotCloseForIdleness) {
  IdleLimit limit;
  limit.on_closed_idle(milliseconds{499}, now);
  limit.on_silent_after(milliseconds{499}, now);
  EXPECT_EQ(limit.get(now), std::nullopt);
}

TEST(IdleLimit, AForgottenFlowSaysOnlyThatItWasTooLong) {
  IdleLimit limit;
  limit.on_silent_after(seconds{3}, now);
  EXPECT_EQ(limit.get(now), milliseconds{1'500});
  limit.on_closed_idle(seconds{8}, now);
  EXPECT_EQ(limit.get(now), milliseconds{1'500}) << "the shortest counts";
}

TEST(IdleLimit, OneResetMayBeARestartAndTwoAreAHabit) {
  IdleLimit limit;
  limit.on_reset_idle(seconds{10}, now);
  limit.on_reset_idle(seconds{2}, now);
  EXPECT_EQ(limit.get(now), std::nullopt);
  limit.on_reset_idle(milliseconds{2'400}, now);
  EXPECT_EQ(limit.get(now), milliseconds{1'750});
}

TEST(IdleLimit, IsForgottenAfterAnHour) {
  IdleLimit limit;
  limit.on_closed_idle(seconds{2}, now);
  EXPECT_EQ(limit.get(now + idle_limit_memory - milliseconds{1}), milliseconds{1'750});
  EXPECT_EQ(limit.get(now + idle_limit_memory), std::nullopt);
  limit.on_closed_idle(seconds{4}, now + idle_limit_memory);
  EXPECT_EQ(limit.get(now + idle_limit_memory), milliseconds{3'500}) << "learned anew";
}

}  // namespace
}  // namespace sotto
