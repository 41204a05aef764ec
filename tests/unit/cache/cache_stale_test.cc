// Stale answers (RFC 8767) and remembered failures (RFC 9520).
#include <gtest/gtest.h>

#include "cache_world.h"

namespace sotto {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::CacheWorld;
using test::ede;
using test::gone_stale;
using test::make_addresses;
using test::make_answer;
using test::octets;
using test::Octets;
using test::record;
using test::same;
using test::servfail;
using test::soa;
using test::to_qname;
using test::wire;
using State = Cache::State;

const Question question = ask("a.example");

// --- stale --------------------------------------------------------------------------------------

TEST(CacheStale, HasATtlOfThirtyNoAdAndAReason) {
  const Octets address = record(to_qname, rtype::a, 20, octets({1, 2, 3, 4}));
  const Octets alias = record(to_qname, rtype::cname, 86'400, wire("t.example"));
  const Octets target = record(wire("t.example"), rtype::a, 300, octets({1, 2, 3, 4}));
  const test::Content contents[] = {
      {.answers = {address}},
      {.flags = 0x81A0, .answers = {alias, target}, .authorities = {soa(900)}},
      {.flags = 0x8183, .authorities = {soa(300)}},
      {.flags = 0x81A3, .authorities = {soa(300)}, .ede = ede(29, "made up")},
      {.answers = {address}, .ede = ede(4, "forged")},
      {.flags = 0x8183, .authorities = {soa(300)}, .rcode_high = 1},  // not NXDOMAIN but 19
  };
  for (const test::Content& content : contents) {
    CacheWorld world;
    const Answer stored = make_answer(question, content);
    world.store(question, stored);
    world.wait(std::chrono::seconds{stored.ttl_min} - tick_length);
    EXPECT_EQ(world.state(question), State::fresh);
    EXPECT_EQ(world.answer.authentic(), stored.authentic());
    world.wait(tick_length);
    const Cache::Found found = world.find(question);
    EXPECT_EQ(found.state, State::stale);
    EXPECT_TRUE(found.refresh_due);
    EXPECT_TRUE(same(world.answer, gone_stale(stored)));
    EXPECT_FALSE(world.answer.authentic());
  }
}

TEST(CacheStale, EndsAtItsMaximumAge) {
  for (const Duration max_age : std::initializer_list<Duration>{1s, 60s, 24h, 24h * 30}) {
    CacheWorld world;
    world.cache.set_stale_max_age(max_age);
    world.store(question, make_addresses(question, 100));
    world.wait(100s + max_age - tick_length);
    EXPECT_EQ(world.state(question), State::stale);
    world.wait(tick_length);
    EXPECT_EQ(world.state(question), State::absent);
  }
}

TEST(CacheStale, IsADayOldAtMostUnlessToldOtherwise) {
  CacheWorld world;
  world.store(question, make_addresses(question, 100));
  world.wait(100s + 24h - tick_length);
  EXPECT_EQ(world.state(question), State::stale);
  world.wait(tick_length);
  EXPECT_EQ(world.state(question), State::absent);
}

TEST(CacheStale, CanBeTurnedOffAndOn) {
  CacheWorld world;
  world.store(question, make_addresses(question, 100));
  world.wait(150s);
  world.cache.set_stale_max_age(0s);
  EXPECT_EQ(world.state(question), State::absent);
  world.cache.set_stale_max_age(1h);
  EXPECT_EQ(world.state(question), State::stale);
  world.cache.set_stale_max_age(50s);
  EXPECT_EQ(world.state(question), State::absent);
}

TEST(CacheStale, IsAskedAboutEveryThirtySeconds) {
  CacheWorld world;
  world.store(question, make_addresses(question, 100));
  world.wait(200s);
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(world.find(question).refresh_due);
    world.hold(question);
    EXPECT_FALSE(world.find(question).refresh_due);
    EXPECT_EQ(world.state(question), State::stale);
    world.wait(30s - tick_length);
    EXPECT_FALSE(world.find(question).refresh_due);
    world.wait(tick_length);
  }
  world.hold(question);
  world.store(question, make_addresses(question, 100, 2));
  EXPECT_EQ(world.state(question), State::fresh);
  world.wait(100s);
  EXPECT_TRUE(world.find(question).refresh_due) << "a new answer was never asked about";
}

TEST(CacheStale, IsAskedAboutAgainAfterRecovery) {
  CacheWorld world;
  world.store(question, make_addresses(question, 100));
  world.wait(200s);
  world.hold(question);
  world.wait(1s);
  EXPECT_FALSE(world.find(question).refresh_due);
  world.cache.forget_failures();
  EXPECT_TRUE(world.find(question).refresh_due);
  world.hold(question);
  EXPECT_FALSE(world.find(question).refresh_due) << "what fails after the recovery is held";
}

TEST(CacheStale, IsAskedAboutHoweverLongTheProcessRuns) {
  for (int years = 0; years < 9; ++years) {
    CacheWorld world;
    world.wait(24h * 365 * years);
    world.store(question, make_addresses(question, 100));
    world.wait(99s);
    EXPECT_EQ(world.state(question), State::fresh) << years;
    world.wait(1s);
    EXPECT_EQ(world.state(question), State::stale) << years;
    EXPECT_TRUE(world.find(question).refresh_due) << years;
    world.hold(question);
    EXPECT_FALSE(world.find(question).refresh_due) << years;
    EXPECT_TRUE(world.cache.restore(ask("b.example"), make_addresses(ask("b.example"), 5), 10s,
                                    world.now, world.cache.generation()));
    EXPECT_TRUE(world.find(ask("b.example")).refresh_due) << years;
  }
}

// Nobody asks for these names again and there is room for them: they lie there for years.
TEST(CacheStale, WhatIsLongOverDoesNotComeBack) {
  CacheWorld world;
  const Question failed = ask("failed.example");
  world.store(question, make_addresses(question, 100));
  for (int i = 0; i < 20; ++i) world.fail(failed);
  for (int month = 1; month < 8 * 12; ++month) {
    world.wait(24h * 30);
    ASSERT_EQ(world.state(question), State::absent) << "after months: " << month;
    ASSERT_EQ(world.state(failed), State::absent) << "after months: " << month;
  }
  world.fail(question);
  EXPECT_EQ(world.state(question), State::failure) << "an answer long over is in no way";
}

TEST(CacheStale, NothingIsHeldThatIsNotThere) {
  CacheWorld world;
  world.hold(question);
  EXPECT_EQ(world.state(question), State::absent);
  EXPECT_EQ(world.cache.stats().entries, 0U);
  world.fail(question);
  world.hold(question);
  world.wait(1s);
  EXPECT_EQ(world.state(question), State::absent) << "a failure is not a stale answer";
}

// --- failures -----------------------------------------------------------------------------------

// How long a failure that was just stored is given.
Duration hold_of(CacheWorld& world, const Question& asked = question) {
  const Instant begin = world.now;
  for (; world.state(asked) == State::failure; world.wait(tick_length)) {
    if (world.now - begin > 1h) break;
  }
  return world.now - begin;
}

TEST(CacheFailure, IsGivenAsTheUpstreamSaidIt) {
  CacheWorld world;
  world.fail(question, servfail(question, ede(22, "no reachable authority")));
  const Cache::Found found = world.find(question);
  EXPECT_EQ(found.state, State::failure);
  EXPECT_FALSE(found.refresh_due);
  EXPECT_TRUE(same(world.answer, servfail(question, ede(22, "no reachable authority"))));
}

TEST(CacheFailure, WithoutAReasonSaysThatItIsRemembered) {
  CacheWorld world;
  world.fail(question);
  EXPECT_EQ(world.state(question), State::failure);
  EXPECT_TRUE(same(world.answer, servfail(question, ede(13))));
}

TEST(CacheFailure, HasNoRecords) {
  CacheWorld world;
  world.fail(question, make_answer(question, {.flags = 0x81A2,
                                              .answers = {test::address(1)},
                                              .authorities = {soa(100)}}));
  EXPECT_EQ(world.state(question), State::failure);
  EXPECT_TRUE(same(world.answer, servfail(question, ede(13))));
}

TEST(CacheFailure, IsHeldTwiceAsLongEachTime) {
  CacheWorld world;
  for (const Duration hold : std::initializer_list<Duration>{1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s,
                                                             256s, 300s, 300s, 300s}) {
    world.fail(question);
    EXPECT_EQ(hold_of(world), hold);
    EXPECT_EQ(world.state(question), State::absent);
  }
  EXPECT_EQ(world.cache.stats().entries, 1U);
  for (int i = 0; i < 300; ++i) world.fail(question);
  EXPECT_EQ(hold_of(world), 300s) << "a count that overflows would begin anew";
}

TEST(CacheFailure, OfOurOwnIsHeldForASecond) {
  CacheWorld world;
  for (int i = 0; i < 20; ++i) {
    world.fail(question, false);
    EXPECT_EQ(hold_of(world), 1s);
  }
  world.fail(question, true);
  EXPECT_EQ(hold_of(world), 1s) << "our own failures do not make the upstream's longer";
  world.fail(question, true);
  EXPECT_EQ(hold_of(world), 2s);
}

TEST(CacheFailure, BeginsAnewAfterASuccess) {
  CacheWorld world;
  world.cache.set_stale_max_age(0s);
  for (int i = 0; i < 6; ++i) world.fail(question);
  world.store(question, make_addresses(question, 1));
  EXPECT_EQ(world.state(question), State::fresh);
  world.wait(1s);
  world.fail(question);
  EXPECT_EQ(hold_of(world), 1s);
}

TEST(CacheFailure, BeginsAnewAfterAnAnswerThatIsNotKept) {
  CacheWorld world;
  for (int i = 0; i < 6; ++i) world.fail(question);
  world.cache.supersede(question, world.cache.hash(question), world.now);
  EXPECT_EQ(world.state(question), State::absent);
  world.fail(question);
  EXPECT_EQ(hold_of(world), 1s);
  world.store(question, make_addresses(question, 1));
  world.cache.supersede(question, world.cache.hash(question), world.now);
  EXPECT_EQ(world.state(question), State::fresh) << "only failures";
}

TEST(CacheFailure, BeginsAnewAfterFiveMinutesOfPeace) {
  CacheWorld world;
  for (int i = 0; i < 4; ++i) world.fail(question);
  EXPECT_EQ(hold_of(world), 8s);
  world.wait(299s);
  world.fail(question);
  EXPECT_EQ(hold_of(world), 16s);
  world.wait(300s);
  world.fail(question);
  EXPECT_EQ(hold_of(world), 1s);
}

TEST(CacheFailure, IsOfOneQuestion) {
  CacheWorld world;
  for (int i = 0; i < 5; ++i) world.fail(question);
  world.fail(ask("b.example"));
  EXPECT_EQ(hold_of(world, ask("b.example")), 1s);
  EXPECT_EQ(world.state(question), State::failure);
  EXPECT_EQ(world.state(ask("a.example", rtype::aaaa)), State::absent);
}

TEST(CacheFailure, NeverDisplacesAnAnswer) {
  CacheWorld world;
  const Answer stored = make_addresses(question, 100);
  world.store(question, stored);
  for (const bool from_upstream : {true, false}) {
    world.fail(question, from_upstream);
    EXPECT_EQ(world.state(question), State::fresh);
    EXPECT_TRUE(same(world.answer, stored));
  }
  world.wait(150s);
  world.fail(question);
  EXPECT_EQ(world.state(question), State::stale);
  EXPECT_TRUE(same(world.answer, gone_stale(stored)));
  EXPECT_FALSE(world.find(question).refresh_due) << "it failed just now";
  world.wait(30s);
  EXPECT_TRUE(world.find(question).refresh_due);
  world.wait(24h);
  EXPECT_EQ(world.state(question), State::absent);
  world.fail(question);
  EXPECT_EQ(world.state(question), State::failure) << "an answer too old to be given is in no way";
  EXPECT_EQ(world.cache.stats().entries, 1U);
}

TEST(CacheFailure, IsForgottenWhenAnUpstreamWorksAgain) {
  CacheWorld world;
  for (int i = 0; i < 6; ++i) world.fail(question);
  EXPECT_EQ(world.state(question), State::failure);
  world.cache.forget_failures();
  EXPECT_EQ(world.state(question), State::absent);
  world.fail(question);
  EXPECT_EQ(hold_of(world), 1s) << "what failed before the outage does not count";
  for (int i = 0; i < 70'000; ++i) world.cache.forget_failures();
  EXPECT_EQ(world.state(question), State::absent);
}

TEST(CacheFailure, GivesWayToAnAnswer) {
  CacheWorld world;
  world.fail(question);
  world.store(question, make_addresses(question, 100));
  EXPECT_EQ(world.state(question), State::fresh);
  EXPECT_TRUE(same(world.answer, make_addresses(question, 100)));
  EXPECT_EQ(world.cache.stats().entries, 1U);
}

}  // namespace
}  // namespace sotto
