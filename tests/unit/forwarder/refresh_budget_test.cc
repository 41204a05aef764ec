#include "forwarder/refresh_budget.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

constexpr Instant begin{std::chrono::seconds{1'000}};

// How many refreshes are allowed at this moment.
int spend_all(RefreshBudget& budget, Instant now) {
  int spent = 0;
  for (; budget.allows_one(now); ++spent) budget.spend();
  return spent;
}

TEST(RefreshBudget, NothingAtZeroPercent) {
  RefreshBudget budget;
  EXPECT_FALSE(budget.allows_one(begin));
  budget.set_percent(0);
  EXPECT_FALSE(budget.allows_one(begin));
}

TEST(RefreshBudget, OneHundredASecondWhateverClientsMiss) {
  RefreshBudget budget;
  budget.set_percent(10);
  EXPECT_EQ(spend_all(budget, begin), 200) << "what was saved before";
  EXPECT_EQ(spend_all(budget, begin), 0);
  EXPECT_EQ(spend_all(budget, begin + std::chrono::seconds{1}), 100);
  EXPECT_EQ(spend_all(budget, begin + std::chrono::seconds{100}), 200) << "the bound of saving";
}

TEST(RefreshBudget, AShareOfWhatClientsMiss) {
  RefreshBudget budget;
  budget.set_percent(10);
  spend_all(budget, begin);
  for (int i = 0; i < 1'000; ++i) budget.earn();
  EXPECT_NEAR(spend_all(budget, begin), 100, 1);
}

}  // namespace
}  // namespace sotto
