// Exchanges nobody waits for any more.
#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Cancel : public testing::Test {
 protected:
  ExchangeId start(std::string_view name, std::uint64_t token) {
    const Question question{name_from_text(name)->octets(), rtype::a, rclass::in, {}};
    const ExchangeId id = world_.exchanges.start(question, token);
    world_.end_turn();
    return id;
  }
  bool no_results() const { return world_.answers.empty() && world_.failures.empty(); }
  // sent = answered + lost + abandoned, when nothing is under way.
  void expect_sums() const {
    const UpstreamCounters& counters = world_.counters;
    EXPECT_EQ(counters.sent.value() + counters.resent.value(),
              counters.answered.value() + counters.lost.value() + counters.abandoned.value());
  }

  World world_{{{1}}};
};

TEST_F(Cancel, WhatWasNotAskedEndsAtOnceAndSilently) {
  const ExchangeId first = start("a.example.", 1);
  start("b.example.", 2);
  EXPECT_TRUE(world_.exchanges.cancel(first));
  EXPECT_EQ(world_.exchanges.in_progress(), 1U);
  world_.become_ready(world_.link(0));
  const auto queries = world_.link(0).queries();
  ASSERT_EQ(queries.size(), 1U) << "only the other one is asked";
  world_.respond(world_.link(0), queries[0].answer(2));
  world_.wait(seconds{5});
  EXPECT_EQ(world_.answers.size(), 1U);
  EXPECT_EQ(world_.answers[2], 2);
  EXPECT_TRUE(world_.failures.empty());
}

TEST_F(Cancel, WhatWasAskedMayStillBeAnswered) {
  const ExchangeId id = start("a.example.", 1);
  world_.become_ready(world_.link(0));
  EXPECT_FALSE(world_.exchanges.cancel(id));
  EXPECT_TRUE(no_results());
  world_.respond(world_.link(0), world_.link(0).queries().front().answer(7));
  EXPECT_EQ(world_.answers[1], 7);
  EXPECT_EQ(world_.exchanges.in_progress(), 0U);
  expect_sums();
}

TEST_F(Cancel, HowManyCancelledQueriesAHealthyServerOwesIsNotHeldAgainstIt) {
  std::vector<ExchangeId> ids;
  for (std::uint64_t token = 1; token <= pipeline_abandoned_max * 2; ++token) {
    ids.push_back(start("n" + std::to_string(token) + ".example.", token));
  }
  world_.become_ready(world_.link(0));
  for (const ExchangeId id : ids) EXPECT_FALSE(world_.exchanges.cancel(id));
  EXPECT_EQ(world_.counters.abandoned.value(), 0U);
  start("later.example.", 9'999);
  for (const SeenQuery& query : world_.link(0).queries()) {
    world_.respond(world_.link(0), query.answer(1));
  }
  EXPECT_EQ(world_.answers.size(), ids.size() + 1);
  EXPECT_EQ(world_.opener.count(), 1U) << "the connection serves on";
  expect_sums();
}

TEST_F(Cancel, NothingMoreIsSentWhenTheConnectionDies) {
  const ExchangeId id = start("a.example.", 1);
  world_.become_ready(world_.link(0));
  world_.exchanges.cancel(id);
  world_.die(world_.link(0));
  world_.wait(milliseconds{1});
  EXPECT_EQ(world_.failures.count(1), 1U);
  EXPECT_EQ(world_.exchanges.in_progress(), 0U);
  EXPECT_EQ(world_.counters.sent.value(), 1U);
  EXPECT_EQ(world_.counters.resent.value(), 0U);
  expect_sums();
}

TEST_F(Cancel, NothingMoreIsSentWhenTheConnectionFallsSilent) {
  const ExchangeId id = start("a.example.", 1);
  world_.become_ready(world_.link(0));
  const auto queries = world_.link(0).queries();
  world_.exchanges.cancel(id);
  world_.wait(seconds{1});
  EXPECT_EQ(world_.counters.suspected.value(), 1U);
  EXPECT_TRUE(no_results()) << "it may still be answered";
  for (const auto& link : world_.opener.links) {
    if (link->open() && link->written.empty()) world_.become_ready(*link);
  }
  EXPECT_EQ(world_.counters.sent.value() + world_.counters.resent.value(), 1U);
  world_.respond(world_.link(0), queries.front().answer(3));
  EXPECT_EQ(world_.answers[1], 3);
}

TEST_F(Cancel, NothingMoreIsSentAfterAWrongAnswer) {
  const ExchangeId id = start("a.example.", 1);
  world_.become_ready(world_.link(0));
  world_.exchanges.cancel(id);
  std::vector<std::uint8_t> header = world_.link(0).queries().front().answer(1);
  header.resize(header_octets);
  store16(header.data() + 2, flag::response | rcode::formerr);
  world_.respond(world_.link(0), header);
  world_.wait(milliseconds{1});
  EXPECT_EQ(world_.failures.count(1), 1U);
  EXPECT_EQ(world_.exchanges.in_progress(), 0U);
  EXPECT_EQ(world_.counters.resent.value(), 0U);
}

TEST_F(Cancel, OneThatIsOverdueEndsAtItsDeadline) {
  const ExchangeId id = start("a.example.", 1);
  world_.become_ready(world_.link(0));
  world_.exchanges.cancel(id);
  world_.wait(seconds{5});
  EXPECT_EQ(world_.failures.count(1), 1U);
  EXPECT_EQ(world_.exchanges.in_progress(), 0U);
  expect_sums();
}

TEST_F(Cancel, AResumedOneIsAskedAgainLikeAnyOther) {
  const ExchangeId id = start("a.example.", 1);
  world_.become_ready(world_.link(0));
  world_.link(0).queries();
  world_.exchanges.cancel(id);
  world_.exchanges.resume(id);
  world_.die(world_.link(0));
  world_.wait(milliseconds{100});
  ASSERT_EQ(world_.opener.count(), 2U);
  world_.become_ready(world_.link(1));
  world_.respond(world_.link(1), world_.link(1).queries().front().answer(5));
  EXPECT_EQ(world_.answers[1], 5);
}

TEST_F(Cancel, OneResumedOnASilentConnectionIsAskedElsewhere) {
  const ExchangeId id = start("a.example.", 1);
  world_.become_ready(world_.link(0));
  world_.link(0).queries();
  world_.exchanges.cancel(id);
  world_.wait(milliseconds{500});
  world_.exchanges.resume(id);
  world_.end_turn();
  world_.wait(milliseconds{100});
  ASSERT_GE(world_.opener.count(), 2U);
  world_.become_ready(world_.link(1));
  world_.respond(world_.link(1), world_.link(1).queries().front().answer(5));
  EXPECT_EQ(world_.answers[1], 5);
  EXPECT_EQ(world_.exchanges.in_progress(), 0U);
}

}  // namespace
}  // namespace sotto
