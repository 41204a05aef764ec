// Late answers: asked elsewhere too within the budget, and once more when they seem lost.
#include <deque>
#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;

// Two upstreams that have answered often enough to be known; answers take this long.
class HedgingTest : public testing::Test {
 protected:
  void prepare(World& world, Duration latency = milliseconds{20}) {
    for (int query = 0; query < 200; ++query) {
      world.ask("warm" + std::to_string(query) + ".example.");
      connect_all(world);
      world.wait(latency);
      answer_all(world);
    }
    for (const auto& link : world.opener.links) link->queries();
    sent_before = counters(world);
  }
  static void connect_all(World& world) {
    for (std::size_t at = 0; at < world.opener.count(); ++at) {
      if (world.link(at).open() && !world.link(at).ready) world.become_ready(world.link(at));
    }
  }
  static void answer_all(World& world) {
    for (std::size_t at = 0; at < world.opener.count(); ++at) {
      if (!world.link(at).open()) continue;
      for (const SeenQuery& query : world.link(at).queries()) {
        world.respond(world.link(at), query.answer(1));
      }
    }
  }
  // Where the queries of this name went, by port, since last looked.
  static std::vector<std::uint16_t> asked(World& world, const std::string& name) {
    std::vector<std::uint16_t> ports;
    for (std::size_t at = 0; at < world.opener.count(); ++at) {
      for (const SeenQuery& query : world.link(at).queries()) {
        if (query.name() == name) ports.push_back(world.port(at));
      }
    }
    std::sort(ports.begin(), ports.end());
    return ports;
  }
  static std::uint64_t counters(World& world) { return world.counters.hedged.value(); }

  std::uint64_t sent_before = 0;
};

TEST_F(HedgingTest, AQueryLaterThanTheP95IsAskedElsewhereToo) {
  World world{{{1}, {2}}, Selection::fastest, 100};
  prepare(world);
  const auto token = world.ask("late.example.");
  const auto first = asked(world, "late.example.");
  ASSERT_EQ(first.size(), 1U);
  world.wait(milliseconds{19});
  EXPECT_TRUE(asked(world, "late.example.").empty());
  world.wait(milliseconds{6});  // the bucket of 20 ms ends below 25
  const auto second = asked(world, "late.example.");
  ASSERT_EQ(second.size(), 1U);
  EXPECT_NE(second[0], first[0]);
  EXPECT_EQ(world.counters.hedged.value(), sent_before + 1);
  EXPECT_EQ(world.answers.count(token), 0U);
}

TEST_F(HedgingTest, TheFirstAnswerWinsAndTheOtherIsNotMissed) {
  World world{{{1}, {2}}, Selection::fastest, 100};
  prepare(world);
  world.ask("late.example.");
  world.wait(milliseconds{30});
  int answer = 1;
  for (std::size_t at = 0; at < world.opener.count(); ++at) {
    for (const SeenQuery& query : world.link(at).queries()) {
      if (query.name() != "late.example.") continue;
      world.respond(world.link(at), query.answer(static_cast<std::uint8_t>(answer++)));
    }
  }
  EXPECT_EQ(answer, 3) << "both were asked";
  EXPECT_EQ(world.answers.rbegin()->second, 1);
  EXPECT_EQ(world.counters.late.value(), 1U);
}

TEST_F(HedgingTest, TheBudgetIsAShareOfQueries) {
  World world{{{1}, {2}}, Selection::fastest, 5};
  prepare(world);
  // All are late, but answered.
  std::deque<std::pair<LinkScript*, SeenQuery>> slow;
  for (int query = 0; query < 1'000; ++query) {
    world.ask("q" + std::to_string(query) + ".example.");
    world.wait(milliseconds{1});
    for (const auto& link : world.opener.links) {
      for (SeenQuery& seen : link->queries()) slow.emplace_back(link.get(), std::move(seen));
    }
    while (slow.size() > 40) {
      if (slow.front().first->open())
        world.respond(*slow.front().first, slow.front().second.answer(1));
      slow.pop_front();
    }
  }
  const std::uint64_t hedged = world.counters.hedged.value() - sent_before;
  EXPECT_GE(hedged, 20U);
  EXPECT_LE(hedged, 50U + static_cast<std::uint64_t>(ShareBudget::saved_max));
  EXPECT_GT(world.exchanges.hedges_denied(), 10U);
}

TEST_F(HedgingTest, ABudgetOfNothingHedgesNothing) {
  World world{{{1}, {2}}, Selection::fastest, 0};
  prepare(world);
  world.ask("late.example.");
  world.wait(milliseconds{60});
  EXPECT_EQ(world.counters.hedged.value(), 0U);
}

TEST_F(HedgingTest, OutsideItsGroupNobodyIsAsked) {
  World world{{{1}}, Selection::fastest, 100};
  UpstreamSpec other{.name = "other group", .endpoints = {{}}};
  other.endpoints[0].identity.endpoint.port = 9;
  UpstreamSpec own{.name = "upstream-1", .endpoints = {{}}};
  own.endpoints[0].identity.endpoint.port = 1;
  world.pool.apply(
      {.groups = {{.name = "first", .upstreams = {own}}, {.name = "second", .upstreams = {other}}},
       .hedge_percent = 100,
       .health = {}});
  prepare(world);
  world.ask("late.example.");
  world.wait(milliseconds{60});
  EXPECT_TRUE(world.open_links(9).empty());
  EXPECT_EQ(world.counters.hedged.value(), 0U);
}

TEST_F(HedgingTest, AQueryWithoutAnAnswerForTwoSecondsIsAskedOnceMore) {
  World world{{{1}}};
  prepare(world);
  const auto token = world.ask("lost.example.");
  asked(world, "lost.example.");
  // Others are answered all the time: the connection is not suspect.
  for (int step = 0; step < 199; ++step) {
    world.ask("other" + std::to_string(step) + ".example.");
    world.wait(milliseconds{10});
    for (const SeenQuery& query : world.link(0).queries()) {
      EXPECT_NE(query.name(), "lost.example.") << step;
      world.respond(world.link(0), query.answer(1));
    }
  }
  world.wait(milliseconds{10});
  const auto again = world.link(0).queries();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].name(), "lost.example.");
  world.respond(world.link(0), again[0].answer(7));
  EXPECT_EQ(world.answers[token], 7);
  EXPECT_EQ(world.counters.suspected.value(), 0U);
}

TEST_F(HedgingTest, AllAreAskedAtOnceWhereTheGroupSaysSo) {
  World world{{{1}, {2}, {3}}, Selection::all};
  prepare(world);
  const auto token = world.ask("raced.example.");
  EXPECT_EQ(asked(world, "raced.example."), (std::vector<std::uint16_t>{1, 2, 3}));
  EXPECT_EQ(world.answers.count(token), 0U);
}

// An answer that is nobody's may have been somebody's: whoever was next, once one behind is
// answered.
TEST_F(HedgingTest, WhatAGarbledAnswerMayHaveBeenMeantForIsAskedAgain) {
  World world{{{1}}};
  prepare(world);
  const auto token = world.ask("unlucky.example.");
  const auto other = world.ask("other.example.");
  const auto queries = world.link(0).queries();
  world.wait(milliseconds{1});
  world.respond(world.link(0), std::vector<std::uint8_t>(20, 0xFF));
  EXPECT_TRUE(world.link(0).queries().empty());
  world.respond(world.link(0), queries.at(1).answer());
  EXPECT_TRUE(world.answers.contains(other));
  const auto again = world.link(0).queries();
  ASSERT_EQ(again.size(), 1U);
  world.respond(world.link(0), again[0].answer());
  EXPECT_EQ(world.answers[token], 1);
}

// Answers a second old keep coming on a path that is stuck; what is asked now is not heard.
TEST_F(HedgingTest, OldAnswersDoNotHideThatAPathIsStuck) {
  World world{{{1}}};
  prepare(world);
  std::deque<SeenQuery> stuck;
  for (int step = 0; step < 20; ++step) {
    world.ask("q" + std::to_string(step) + ".example.");
    for (SeenQuery& query : world.link(0).queries()) stuck.push_back(std::move(query));
    world.wait(milliseconds{10});
    if (step < 15) continue;
    world.respond(world.link(0), stuck.front().answer(1));
    stuck.pop_front();
  }
  EXPECT_EQ(world.counters.suspected.value(), 1U);
  EXPECT_GE(world.opener.count(), 2U);
}

TEST_F(HedgingTest, ASlowAnswerAmongOthersIsNotAskedAgainOfTheSameUpstream) {
  World world{{{1}}, Selection::fastest, 100};
  prepare(world);
  world.ask("slow.example.");
  asked(world, "slow.example.");
  for (int step = 0; step < 30; ++step) {
    world.ask("other" + std::to_string(step) + ".example.");
    world.wait(milliseconds{10});
    answer_all(world);
  }
  EXPECT_EQ(world.counters.hedged.value(), 0U);
}

TEST_F(HedgingTest, ASilentConnectionIsHedgedByAnotherOfTheSameUpstream) {
  World world{{{1}}, Selection::fastest, 100};
  prepare(world);
  world.ask("first.example.");
  world.wait(hedge_at_home_min);  // late: a second connection is opened for the next time
  ASSERT_EQ(world.open_links(1).size(), 2U);
  world.become_ready(*world.open_links(1)[1]);
  answer_all(world);
  world.ask("second.example.");
  world.wait(hedge_at_home_min);
  EXPECT_EQ(asked(world, "second.example."), (std::vector<std::uint16_t>{1, 1}));
  EXPECT_EQ(world.counters.hedged.value(), 1U);
  EXPECT_EQ(world.counters.suspected.value(), 0U);
}

TEST_F(HedgingTest, WhereTheOrderCountsNobodyElseSeesWhatIsLate) {
  for (const Selection selection : {Selection::order, Selection::hash}) {
    World world{{{1}, {2}}, selection, 100};
    prepare(world);
    const auto before = world.counters.sent.value();
    world.ask("late.example.");
    world.wait(hedge_at_home_min);
    const auto ports = asked(world, "late.example.");
    ASSERT_EQ(ports.size(), 1U);
    EXPECT_EQ(world.counters.sent.value(), before + 1);
  }
}

}  // namespace
}  // namespace sotto
