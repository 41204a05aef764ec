// One upstream: what happens to exchanges when its connections and answers misbehave.
#include "upstream/exchanges.h"

#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Exchanges, OpensAConnectionAsksAndAnswers) {
  World world{{{1}}};
  const auto token = world.ask();
  ASSERT_EQ(world.opener.count(), 1U);
  EXPECT_TRUE(world.link(0).queries().empty()) << "nothing may be written before the peer is known";
  world.become_ready(world.link(0));
  const auto queries = world.link(0).queries();
  ASSERT_EQ(queries.size(), 1U);
  world.respond(world.link(0), queries[0].answer(9));
  EXPECT_EQ(world.answers[token], 9);
  EXPECT_EQ(world.exchanges.in_progress(), 0U);
}

TEST(Exchanges, OneConnectionCarriesManyQueriesAnsweredInAnyOrder) {
  World world{{{1}}};
  std::vector<std::uint64_t> tokens;
  for (int query = 0; query < 20; ++query) tokens.push_back(world.ask());
  world.become_ready(world.link(0));
  const auto queries = world.link(0).queries();
  ASSERT_EQ(queries.size(), 20U);
  EXPECT_EQ(world.link(0).writes, 1U);
  for (std::size_t at = queries.size(); at-- > 0;) {
    world.respond(world.link(0), queries[at].answer(static_cast<std::uint8_t>(at + 1)));
  }
  for (std::size_t at = 0; at < tokens.size(); ++at) EXPECT_EQ(world.answers[tokens[at]], at + 1);
  EXPECT_EQ(world.opener.count(), 1U);
}

TEST(Exchanges, WhatADyingConnectionLeavesIsAskedAgainAtOnceInOrder) {
  World world{{{1}}};
  const auto first = world.ask("a.example.");
  const auto second = world.ask("b.example.");
  world.become_ready(world.link(0));
  world.link(0).queries();
  world.die(world.link(0));
  world.wait(milliseconds{100});
  ASSERT_EQ(world.opener.count(), 2U);
  world.become_ready(world.link(1));
  const auto queries = world.link(1).queries();
  ASSERT_EQ(queries.size(), 2U);
  world.respond(world.link(1), queries[0].answer(1));
  world.respond(world.link(1), queries[1].answer(2));
  EXPECT_EQ(world.answers.size(), 2U);
  EXPECT_NE(world.answers[first], world.answers[second]);
}

TEST(Exchanges, ASilentConnectionIsReplacedAndTheFirstAnswerWins) {
  World world{{{1}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  const auto early = world.link(0).queries();
  world.wait(suspicion_without_samples + milliseconds{100});  // it never answered: back-off
  ASSERT_EQ(world.opener.count(), 2U) << "asked elsewhere, the silent one stays";
  EXPECT_TRUE(world.link(0).open());
  world.become_ready(world.link(1));
  const auto again = world.link(1).queries();
  ASSERT_EQ(again.size(), 1U);
  world.respond(world.link(0), early[0].answer(5));
  EXPECT_EQ(world.answers[token], 5) << "a slow answer is an answer";
  world.respond(world.link(1), again[0].answer(6));
  EXPECT_EQ(world.answers[token], 5);
  EXPECT_EQ(world.counters.late.value(), 1U);
}

TEST(Exchanges, FewSendsPerUpstreamWithoutProgress) {
  World world{{{1}}};
  const auto token = world.ask();
  std::size_t sends = 0;
  for (int round = 0; round < 40 && world.failures.empty(); ++round) {
    for (LinkScript* link : world.open_links(1)) {
      if (link->queries().empty() && link->written.empty()) world.become_ready(*link);
      sends += link->queries().size();
      if (link->open()) world.die(*link, FailureKind::transport);
    }
    world.wait(milliseconds{150});
  }
  EXPECT_EQ(world.failures[token], ede::network_error);
  EXPECT_EQ(world.counters.sent.value() + world.counters.resent.value(), sends_per_upstream_max - 1)
      << "the last one is kept until a probe is answered";
}

TEST(Exchanges, ProgressIsNotChargedButEightSendsAreTheEnd) {
  World world{{{1}}};
  const auto unlucky = world.ask("unlucky.example.");
  std::size_t answered = 0;
  for (std::size_t round = 0; round < sends_max; ++round) {
    ASSERT_TRUE(world.failures.empty()) << round;
    // Fewer each time, so that what the server is known to answer is always enough for all.
    const std::size_t lucky = 40 - 4 * round;
    for (std::size_t query = 0; query < lucky; ++query) world.ask("lucky.example.");
    answered += lucky;
    ASSERT_EQ(world.open_links(1).size(), 1U) << round;
    LinkScript& link = *world.open_links(1).front();
    world.become_ready(link);
    for (const SeenQuery& query : link.queries()) {
      if (query.name() == "lucky.example.") world.respond(link, query.answer());
    }
    world.die(link);
  }
  EXPECT_EQ(world.failures[unlucky], ede::network_error);
  EXPECT_EQ(world.counters.resent.value(), sends_max - 1);
  EXPECT_EQ(world.answers.size(), answered);
}

TEST(Exchanges, InFlightIsLimitedToWhatTheServerAnswersPerConnection) {
  World world{{{1}}};
  for (int query = 0; query < 30; ++query) world.ask();
  world.become_ready(world.link(0));
  const auto first = world.link(0).queries();
  ASSERT_EQ(first.size(), 30U);
  for (int at = 0; at < 5; ++at)
    world.link(0).respond(first[static_cast<std::size_t>(at)].answer());
  world.die(world.link(0));
  EXPECT_EQ(world.answers.size(), 5U);
  std::size_t next = 1;
  while (world.answers.size() < 30) {
    ASSERT_LT(next, world.opener.count());
    LinkScript& link = world.link(next++);
    world.become_ready(link);
    const auto queries = link.queries();
    ASSERT_LE(queries.size(), 5U);
    for (const SeenQuery& query : queries) link.respond(query.answer());
    world.die(link);
  }
  EXPECT_TRUE(world.failures.empty());
}

TEST(Exchanges, QueriesWaitingForRoomAreServedWhenAnswersMakeIt) {
  World world{{{1}}};
  for (int query = 0; query < 3; ++query) world.ask();
  world.become_ready(world.link(0));
  world.link(0).respond(world.link(0).queries().front().answer());
  world.die(world.link(0));  // one answered, two lost: one at a time from now on
  for (int query = 0; query < 100; ++query) world.ask();
  for (int rounds = 0; world.answers.size() < 103; ++rounds) {
    ASSERT_LT(rounds, 1'000);
    for (LinkScript* link : world.open_links(1)) {
      if (!link->ready) world.become_ready(*link);
      for (const SeenQuery& query : link->queries()) world.respond(*link, query.answer());
    }
  }
  EXPECT_EQ(world.now, Instant{seconds{1'000}}) << "nobody had to wait for a timer";
}

TEST(Exchanges, ASingleLossTeachesNothing) {
  World world{{{1}}};
  world.ask();
  world.ask();
  world.become_ready(world.link(0));
  world.link(0).respond(world.link(0).queries().front().answer());
  world.die(world.link(0));
  for (int query = 0; query < 50; ++query) world.ask();
  ASSERT_EQ(world.opener.count(), 2U);
  world.become_ready(world.link(1));
  EXPECT_EQ(world.link(1).queries().size(), 51U);
}

TEST(Exchanges, WhatIsNotSilentAfterAllIsNotAskedAgainThere) {
  World world{{{1}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  world.ask("b.example.");
  const auto queries = world.link(0).queries();
  world.wait(suspicion_without_samples);
  world.respond(world.link(0), queries[1].answer());
  EXPECT_TRUE(world.link(0).queries().empty());
  world.respond(world.link(0), queries[0].answer(4));
  EXPECT_EQ(world.answers[token], 4);
  EXPECT_EQ(world.counters.resent.value(), 0U);
}

TEST(Exchanges, AShorterTimeoutHoldsForThoseInProgress) {
  World world{{{1}}};
  world.exchanges.set_timeout(seconds{10});
  world.ask();
  world.exchanges.set_timeout(seconds{1});
  world.ask("b.example.");
  world.wait(seconds{1});
  EXPECT_EQ(world.failures.size(), 2U);
}

TEST(Exchanges, WithoutARouteQueriesWaitAsWithoutANetwork) {
  World world{{{1}}};
  const auto token = world.ask();
  world.die(world.link(0), FailureKind::no_route);
  EXPECT_TRUE(world.failures.empty());
  world.wait(milliseconds{200});
  ASSERT_GT(world.opener.count(), 1U);
  world.become_ready(world.opener.last());
  world.respond(world.opener.last(), world.opener.last().queries().front().answer(8));
  EXPECT_EQ(world.answers[token], 8);
}

TEST(Exchanges, SentQueriesAddUp) {
  World world{{{1}}};
  for (int query = 0; query < 10; ++query) world.ask("a" + std::to_string(query) + ".example.");
  world.become_ready(world.link(0));
  const auto queries = world.link(0).queries();
  for (std::size_t at = 0; at < 4; ++at) world.link(0).respond(queries[at].answer());
  world.die(world.link(0));
  world.wait(seconds{1});
  world.become_ready(world.opener.last());
  world.link(1).queries();
  world.wait(seconds{10});
  const UpstreamCounters& counted = world.counters;
  EXPECT_EQ(counted.sent.value() + counted.resent.value(),
            counted.answered.value() + counted.lost.value() + counted.abandoned.value());
}

TEST(Exchanges, AWrongAnswerUnderTheRightIdIsAskedAgainAtOnce) {
  World world{{{1}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  const SeenQuery query = world.link(0).queries().front();
  auto wrong = query.answer();
  wrong[13] = 'x';
  world.respond(world.link(0), wrong);
  EXPECT_FALSE(world.answers.contains(token));
  const auto again = world.link(0).queries();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_NE(again[0].id(), query.id());
  world.respond(world.link(0), again[0].answer(3));
  EXPECT_EQ(world.answers[token], 3);
}

TEST(Exchanges, ManyWrongAnswersDoNotKeepTheRightOneOut) {
  World world{{{1}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  const SeenQuery first = world.link(0).queries().front();
  for (int round = 0; round < 5 && world.link(0).open(); ++round) {
    auto wrong = first.answer();
    wrong[13] = 'x';
    world.respond(world.link(0), wrong);
  }
  EXPECT_TRUE(world.failures.empty()) << "the upstream may be asked no more, but may still answer";
  world.respond(world.link(0), first.answer(7));
  EXPECT_EQ(world.answers[token], 7);
}

TEST(Exchanges, AMalformedAnswerIsAskedAgainAtOnce) {
  World world{{{1}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  auto cut = world.link(0).queries().front().answer();
  cut.resize(cut.size() - 1);
  world.respond(world.link(0), cut);
  const auto again = world.link(0).queries();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(world.counters.malformed.value(), 1U);
  world.respond(world.link(0), again[0].answer(3));
  EXPECT_EQ(world.answers[token], 3);
}

TEST(Exchanges, WaitsForAPathUntilItsDeadline) {
  World world{{{1}}};
  const auto token = world.ask();
  while (world.failures.empty()) {
    for (LinkScript* link : world.open_links(1)) world.die(*link);
    ASSERT_LT(world.now, Instant{seconds{1'010}});
    world.wait(milliseconds{10});
  }
  EXPECT_EQ(world.failures[token], ede::no_reachable_authority);
  EXPECT_GE(world.now, Instant{milliseconds{1'004'500}});
  EXPECT_LE(world.now, Instant{milliseconds{1'004'510}});
}

TEST(Exchanges, TheFirstPathThatReturnsServesEverybodyWaiting) {
  World world{{{1}}};
  for (int query = 0; query < 10; ++query) world.ask();
  for (int round = 0; round < 30; ++round) {
    for (LinkScript* link : world.open_links(1)) world.die(*link);
    world.wait(milliseconds{100});
  }
  while (world.open_links(1).empty()) world.wait(milliseconds{10});
  LinkScript& link = *world.open_links(1).front();
  world.become_ready(link);
  for (const SeenQuery& query : link.queries()) world.respond(link, query.answer());
  EXPECT_EQ(world.answers.size(), 10U);
}

TEST(Exchanges, FailsAtOnceWhenNobodyIsWhoTheyShouldBe) {
  World world{{{1, 2}}};
  const auto token = world.ask();
  world.die(world.link(0), FailureKind::authentication);
  ASSERT_TRUE(world.failures.empty()) << "the other address may still be right";
  ASSERT_EQ(world.opener.count(), 2U);
  world.die(world.link(1), FailureKind::authentication);
  EXPECT_EQ(world.failures[token], ede::no_reachable_authority);
  const auto next = world.ask();
  EXPECT_EQ(world.failures[next], ede::no_reachable_authority) << "no attempt so soon";
  world.wait(attempt_interval_authentication);
  world.ask();
  EXPECT_EQ(world.opener.count(), 4U) << "a fresh exchange may try again";
}

TEST(Exchanges, AnUnansweredQueryEndsAtItsDeadlineHoweverBusyTheConnection) {
  World world{{{1}}};
  world.exchanges.set_timeout(seconds{2});
  const auto slow = world.ask("slow.example.");
  world.become_ready(world.link(0));
  world.link(0).queries();
  for (int round = 0; round < 20; ++round) {
    world.ask("fast.example.");
    world.respond(world.link(0), world.link(0).queries().front().answer());
    world.wait(milliseconds{100});
  }
  EXPECT_EQ(world.failures[slow], ede::network_error);
  EXPECT_EQ(world.opener.count(), 1U) << "a slow answer alone is not a dead connection";
}

}  // namespace
}  // namespace sotto
