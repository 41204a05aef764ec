#include "upstream/answer_limit.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

constexpr bool cut_short = true;

AnswerLimit limit_of(std::uint64_t answers) {
  AnswerLimit limit;
  limit.on_closed(answers, cut_short);
  limit.on_closed(answers, cut_short);
  return limit;
}

TEST(AnswerLimit, NothingIsKnownAtFirst) {
  AnswerLimit limit;
  EXPECT_EQ(limit.get(), AnswerLimit::none);
  EXPECT_FALSE(limit.nears(1'000'000, 1'000));
}

TEST(AnswerLimit, TwoClosesAfterTheSameNumberTell) {
  AnswerLimit limit;
  limit.on_closed(50, cut_short);
  EXPECT_EQ(limit.get(), AnswerLimit::none) << "it may have been a restart";
  limit.on_closed(50, cut_short);
  EXPECT_EQ(limit.get(), 50U);
  limit.on_closed(20, cut_short);
  EXPECT_EQ(limit.get(), AnswerLimit::none) << "what closes does not count";
}

TEST(AnswerLimit, ACloseForIdlenessTellsNothing) {
  AnswerLimit limit;
  limit.on_closed(50, !cut_short);
  limit.on_closed(50, !cut_short);
  limit.on_closed(0, cut_short);
  limit.on_closed(0, cut_short);
  EXPECT_EQ(limit.get(), AnswerLimit::none);
}

TEST(AnswerLimit, OneAnswerMoreRefutesIt) {
  AnswerLimit limit = limit_of(50);
  EXPECT_FALSE(limit.on_answer(50));
  EXPECT_EQ(limit.get(), 50U);
  EXPECT_TRUE(limit.on_answer(51));
  EXPECT_EQ(limit.get(), AnswerLimit::none);
}

TEST(AnswerLimit, TheNextConnectionIsDueSomeRoundTripsBefore) {
  AnswerLimit limit = limit_of(50);
  EXPECT_FALSE(limit.nears(43, 1));
  EXPECT_TRUE(limit.nears(44, 1)) << "one at a time";
  EXPECT_FALSE(limit.nears(7, 10));
  EXPECT_TRUE(limit.nears(8, 10)) << "500 a second over 20 ms";
}

}  // namespace
}  // namespace sotto
