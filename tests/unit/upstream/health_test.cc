#include "upstream/health.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

using std::chrono::milliseconds;

struct HealthTest : testing::Test {
  Instant now{std::chrono::seconds{1'000}};
  Random random{1};
  Health health;

  void bad(std::uint32_t count) {
    for (std::uint32_t at = 0; at < count; ++at) health.on_bad(now, random);
  }
};

TEST_F(HealthTest, FewBadOutcomesTellNothing) {
  bad(outcomes_min - 1);
  EXPECT_FALSE(health.open());
  EXPECT_EQ(health.probe_due(), never);
  EXPECT_TRUE(health.on_bad(now, random));
  EXPECT_TRUE(health.open());
}

TEST_F(HealthTest, OneInTenBadOpensNothing) {
  for (int query = 0; query < 10'000; ++query) {
    if (query % 10 == 0) {
      health.on_bad(now, random);
    } else {
      health.on_good();
    }
    ASSERT_FALSE(health.open()) << query;
  }
}

TEST_F(HealthTest, OldGoodOutcomesFade) {
  for (int query = 0; query < 10'000; ++query) health.on_good();
  std::uint32_t needed = 0;
  while (!health.open()) {
    health.on_bad(now, random);
    ASSERT_LT(++needed, outcomes_max);
  }
}

TEST_F(HealthTest, AProbeThatFailsDoublesTheWaitUpToTenSeconds) {
  bad(outcomes_min);
  Duration longest{0};
  for (int round = 0; round < 8; ++round) {
    const Duration wait = health.probe_due() - now;
    EXPECT_GT(wait, Duration{0});
    EXPECT_LE(wait, breaker_max);
    longest = std::max(longest, wait);
    now = health.probe_due();
    health.on_probe(now, random);
    EXPECT_FALSE(health.on_bad(now, random)) << "it is open already";
  }
  EXPECT_GT(longest, breaker_max * 3 / 4);
}

TEST_F(HealthTest, BadOutcomesOfQueriesUnderWayDoNotProlongIt) {
  bad(outcomes_min);
  const Instant due = health.probe_due();
  bad(100);
  EXPECT_EQ(health.probe_due(), due);
}

TEST_F(HealthTest, OneGoodAnswerClosesIt) {
  bad(outcomes_min);
  health.on_good();
  EXPECT_FALSE(health.open());
  bad(outcomes_min - 1);
  EXPECT_FALSE(health.open()) << "it counts anew";
}

}  // namespace
}  // namespace sotto
