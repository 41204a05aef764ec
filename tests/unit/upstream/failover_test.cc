// Several upstreams, tried in order.
#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Failover, TheFirstUpstreamIsAskedWhileItWorks) {
  World world{{{1}, {2}}};
  for (int query = 0; query < 5; ++query) world.ask();
  world.become_ready(world.link(0));
  EXPECT_EQ(world.opener.count(), 1U);
  EXPECT_EQ(world.port(0), 1);
  EXPECT_EQ(world.link(0).queries().size(), 5U);
}

TEST(Failover, ARefusedUpstreamIsPassedOverAtOnce) {
  World world{{{1}, {2}}};
  const auto token = world.ask();
  world.die(world.link(0));
  ASSERT_EQ(world.opener.count(), 2U);
  EXPECT_EQ(world.port(1), 2);
  world.become_ready(world.link(1));
  world.respond(world.link(1), world.link(1).queries().front().answer(2));
  EXPECT_EQ(world.answers[token], 2);
}

TEST(Failover, ASlowConnectIsWaitedForPatientlyButNotLong) {
  World world{{{1}, {2}}};
  world.ask();
  world.wait(connect_patience - milliseconds{1});
  EXPECT_EQ(world.opener.count(), 1U);
  world.wait(milliseconds{1});
  ASSERT_EQ(world.opener.count(), 2U);
  EXPECT_EQ(world.port(1), 2);
  EXPECT_TRUE(world.link(0).open()) << "it may still succeed";
}

TEST(Failover, TheOtherAddressOfAnUpstreamComesBeforeTheNextUpstream) {
  World world{{{1, 2}, {3}}};
  world.ask();
  world.wait(connect_patience);
  ASSERT_EQ(world.opener.count(), 2U);
  EXPECT_EQ(world.port(1), 2);
}

TEST(Failover, TheFirstUpstreamIsUsedAgainWhenItRecovers) {
  World world{{{1}, {2}}};
  world.ask();
  world.die(world.link(0));
  world.become_ready(world.link(1));
  world.respond(world.link(1), world.link(1).queries().front().answer(2));
  // Queries go to the second while the first is probed in the background.
  for (int round = 0; round < 5; ++round) {
    world.wait(retry_interval_min);
    const auto token = world.ask();
    for (const SeenQuery& query : world.link(1).queries()) {
      world.respond(world.link(1), query.answer(2));
    }
    EXPECT_EQ(world.answers[token], 2) << "nobody waits for a probe";
    for (LinkScript* link : world.open_links(1)) {
      if (round < 4) world.die(*link);
    }
  }
  const auto probes = world.open_links(1);
  ASSERT_EQ(probes.size(), 1U);
  world.become_ready(*probes[0]);
  const auto probe = probes[0]->queries();
  ASSERT_EQ(probe.size(), 1U);
  EXPECT_EQ(probe[0].name(), ".") << "a query of our own";
  world.respond(*probes[0], probe[0].response());
  const auto token = world.ask();
  world.respond(*probes[0], probes[0]->queries().front().answer(1));
  EXPECT_EQ(world.answers[token], 1);
}

TEST(Failover, ASilentUpstreamsQueriesAreAskedElsewhere) {
  World world{{{1}, {2}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  ASSERT_EQ(world.link(0).queries().size(), 1U);
  // Never answered anything: not to be waited for again.
  world.wait(suspicion_without_samples);
  const auto second = world.open_links(2);
  ASSERT_EQ(second.size(), 1U);
  world.become_ready(*second[0]);
  world.respond(*second[0], second[0]->queries().front().answer(2));
  EXPECT_EQ(world.answers[token], 2);
}

TEST(Failover, OneThatMayOnlyAskADeadUpstreamDoesNotHoldUpOthers) {
  World world{{{1}, {2}}};
  const auto unlucky = world.ask("unlucky.example.");
  for (std::size_t sends = 0; sends < sends_per_upstream_max; ++sends) {
    while (world.open_links(1).empty()) world.wait(milliseconds{10});
    LinkScript& link = *world.open_links(1).front();
    world.become_ready(link);
    world.die(link, FailureKind::none);
    for (LinkScript* other : world.open_links(2)) world.die(*other);
  }
  const auto lucky = world.ask("lucky.example.");
  for (int step = 0; step < 30 && !world.answers.contains(lucky); ++step) {
    world.wait(milliseconds{10});
    for (LinkScript* link : world.open_links(2)) world.die(*link);
    for (LinkScript* link : world.open_links(1)) {
      if (!link->ready) world.become_ready(*link);
      for (const SeenQuery& query : link->queries()) world.respond(*link, query.answer(1));
    }
  }
  EXPECT_EQ(world.answers[lucky], 1);
  EXPECT_FALSE(world.answers.contains(unlucky));
}

TEST(Failover, AnUpstreamOnProbationGetsOneQueryAtATime) {
  World world{{{1}, {2}}};
  world.ask();
  world.die(world.link(0));
  world.become_ready(world.link(1));
  world.respond(world.link(1), world.link(1).queries().front().answer(2));
  world.wait(retry_interval_min);
  LinkScript& probe = *world.open_links(1).front();
  world.become_ready(probe);
  for (int query = 0; query < 10; ++query) world.ask("q" + std::to_string(query) + ".example.");
  const auto probing = probe.queries();
  EXPECT_EQ(probing.size(), 1U);
  world.respond(probe, probing.front().response());
  for (int query = 0; query < 10; ++query) world.ask("r" + std::to_string(query) + ".example.");
  EXPECT_EQ(probe.queries().size(), 10U);
}

TEST(Failover, ASlowNameDoesNotMakeItsUpstreamFail) {
  World world{{{1}, {2}}};
  world.ask("quick.example.");
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().answer(1));
  world.ask("slow.example.");
  for (int step = 0; step < 20; ++step) {
    world.wait(milliseconds{100});
    for (LinkScript* link : world.open_links(1)) {
      if (!link->ready) world.become_ready(*link);
    }
  }
  EXPECT_EQ(world.count(UpstreamEvent::Kind::failed), 0U);
}

TEST(Failover, OnlyTheUpstreamThatKnowsNoEdnsIsAskedWithout) {
  World world{{{1}, {2}}};
  world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().response(rcode::formerr));
  world.respond(world.link(0), world.link(0).queries().front().response(rcode::servfail));
  world.become_ready(world.link(1));
  EXPECT_TRUE(world.link(1).queries().front().has_edns());
}

TEST(Failover, ServfailIsTriedOnceElsewhere) {
  World world{{{1}, {2}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().response(rcode::servfail));
  EXPECT_TRUE(world.rcodes.empty());
  ASSERT_EQ(world.opener.count(), 2U);
  world.become_ready(world.link(1));
  world.respond(world.link(1), world.link(1).queries().front().answer(2));
  EXPECT_EQ(world.answers[token], 2);
}

TEST(Failover, ServfailEverywhereIsTheAnswer) {
  World world{{{1}, {2}, {3}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().response(rcode::servfail));
  world.become_ready(world.link(1));
  world.respond(world.link(1), world.link(1).queries().front().response(rcode::refused));
  EXPECT_EQ(world.rcodes[token], rcode::refused);
  EXPECT_EQ(world.opener.count(), 2U) << "tried elsewhere once";
}

TEST(Failover, ServfailIsNotHeldBackForAnUpstreamThatIsDown) {
  World world{{{1}, {2}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().response(rcode::servfail));
  world.die(world.link(1));
  EXPECT_EQ(world.rcodes[token], rcode::servfail);
}

TEST(Failover, ADeliberateServfailIsTheAnswer) {
  World world{{{1}, {2}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  auto bogus = world.link(0).queries().front().response(rcode::servfail);
  store16(bogus.data() + 10, 1);
  const std::uint8_t opt[] = {0, 0, 41, 4,  208, 0, 0, 0, 0,
                              0, 6, 0,  15, 0,   2, 0, 6};  // DNSSEC bogus
  bogus.insert(bogus.end(), std::begin(opt), std::end(opt));
  world.respond(world.link(0), bogus);
  EXPECT_EQ(world.rcodes[token], rcode::servfail);
  EXPECT_EQ(world.opener.count(), 1U);
}

}  // namespace
}  // namespace sotto
