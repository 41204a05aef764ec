#include "transport/change_burst.h"

#include <gtest/gtest.h>
#include <vector>

namespace sotto {
namespace {

using std::chrono::milliseconds;

const Instant begin{std::chrono::seconds{1'000}};

// When changes at these times are told, in milliseconds after begin.
std::vector<int> told(const std::vector<int>& changes) {
  ChangeBurst burst;
  std::vector<int> times;
  const auto note = [&](Instant at) {
    times.push_back(static_cast<int>((at - begin) / milliseconds{1}));
  };
  for (const int change : changes) {
    const Instant now = begin + milliseconds{change};
    while (burst.next_deadline() <= now) {
      const Instant due = burst.next_deadline();
      if (burst.on_deadline(due)) note(due);
    }
    if (burst.on_change(now)) note(now);
  }
  while (burst.next_deadline() != never) {
    const Instant due = burst.next_deadline();
    EXPECT_FALSE(burst.on_deadline(due - milliseconds{1}));
    EXPECT_TRUE(burst.on_deadline(due));
    note(due);
  }
  return times;
}

TEST(ChangeBurst, TheFirstOfABurstIsToldAtOnceAndTheRestWhenItIsQuiet) {
  EXPECT_EQ(told({0}), (std::vector{0}));
  EXPECT_EQ(told({0, 10, 20}), (std::vector{0, 250})) << "not more often than every 250 ms";
  EXPECT_EQ(told({0, 200}), (std::vector{0, 300})) << "100 ms after the last";
  EXPECT_EQ(told({0, 200, 290, 380}), (std::vector{0, 480})) << "each change prolongs the burst";
  EXPECT_EQ(told({0, 250, 1'000}), (std::vector{0, 250, 1'000})) << "each a burst of its own";
}

TEST(ChangeBurst, WhereItIsNeverQuietItIsToldOnceASecond) {
  std::vector<int> changes;
  for (int at = 0; at < 5'000; at += 10) changes.push_back(at);
  EXPECT_EQ(told(changes), (std::vector{0, 1'010, 2'010, 3'010, 4'010, 5'010}));
}

}  // namespace
}  // namespace sotto
