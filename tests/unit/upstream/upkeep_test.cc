// What a pool does without being asked.
#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint16_t ports[] = {1, 2};

UpstreamSpec spec_of(std::uint16_t port) {
  UpstreamSpec spec{.name = "upstream-" + std::to_string(port), .endpoints = {{}}};
  spec.endpoints[0].identity.endpoint.port = port;
  return spec;
}

PoolSpec one_group(std::vector<UpstreamSpec> upstreams, HealthSpec health = {}) {
  return {.groups = {{.name = "default", .upstreams = std::move(upstreams)}}, .health = health};
}

// Asks, connects and answers, so that the upstream is known to work.
LinkScript& use(World& world) {
  world.ask();
  LinkScript& link = world.opener.last();
  if (!link.ready) world.become_ready(link);
  for (const SeenQuery& query : link.queries()) world.respond(link, query.answer(1));
  return link;
}

TEST(Upkeep, AnEndpointThatFailsIsTriedLessAndLessOften) {
  World world{{{1}, {2}}};
  use(world);
  world.die(world.link(0));
  std::size_t attempts = 0;
  std::vector<Instant> times;
  for (int step = 0; step < 1'200; ++step) {  // two minutes in which clients ask
    world.wait(milliseconds{100});
    for (LinkScript* link : world.open_links(2)) {
      if (!link->ready) world.become_ready(*link);
    }
    if (step % 10 == 0) world.ask("q" + std::to_string(step) + ".example.");
    for (LinkScript* link : world.open_links(2)) {
      for (const SeenQuery& query : link->queries()) world.respond(*link, query.answer(1));
    }
    for (LinkScript* link : world.open_links(1)) {
      ++attempts;
      times.push_back(world.now);
      world.die(*link);
    }
  }
  EXPECT_GT(attempts, 12U);
  EXPECT_LT(attempts, 45U);
  EXPECT_LE(times.back() - times[times.size() - 2], retry_interval_max + milliseconds{100});
}

TEST(Upkeep, WhileNobodyAsksAFailingEndpointIsLeftAlone) {
  World world{{{1}, {2}}};
  world.ask();
  world.die(world.link(0));
  world.become_ready(world.link(1));
  world.respond(world.link(1), world.link(1).queries().front().answer(2));
  for (int second = 0; second < 60; ++second) {
    world.wait(seconds{1});
    for (LinkScript* link : world.open_links(1)) world.die(*link);
  }
  const std::size_t before = world.opener.count();
  world.wait(minutes{60});
  EXPECT_EQ(world.opener.count(), before);
}

TEST(Upkeep, WithoutANetworkOneAtATimeIsTriedEverySecond) {
  World world{{{1}, {2}}};
  world.ask();
  const auto kill_all = [&world] {
    for (const std::uint16_t port : ports) {
      for (LinkScript* link : world.open_links(port)) world.die(*link);
    }
  };
  for (int step = 0; step < 500; ++step) {  // until nobody waits any more
    kill_all();
    world.wait(milliseconds{10});
  }
  const std::size_t before = world.opener.count();
  for (int step = 0; step < 6'000; ++step) {  // ten minutes
    world.wait(milliseconds{100});
    ASSERT_LE(world.open_links(1).size() + world.open_links(2).size(), 1U);
    kill_all();
  }
  const std::size_t attempts = world.opener.count() - before;
  EXPECT_GE(attempts, 550U);
  EXPECT_LE(attempts, 601U);
  // Both are tried in turn, and the first that answers, even only our own query, ends it.
  while (world.open_links(2).empty()) {
    kill_all();
    world.wait(milliseconds{100});
  }
  LinkScript& link = *world.open_links(2).front();
  world.become_ready(link);
  const auto probe = link.queries();
  ASSERT_EQ(probe.size(), 1U);
  EXPECT_EQ(world.times_back, 0);
  world.respond(link, probe[0].response());
  EXPECT_EQ(world.times_back, 1);
  EXPECT_FALSE(world.pool.report().upstreams[0].endpoints[0].next_attempt > Duration{0})
      << "what the other failed by is forgotten";
}

TEST(Upkeep, AConnectionThatClosesInOrderIsOpenedAgainWhileClientsAsk) {
  World world{{{1}}};
  UpstreamSpec spec = spec_of(1);
  spec.keep_warm = seconds{30};
  world.pool.apply(one_group({spec}));
  LinkScript& link = use(world);
  world.wait(seconds{2});
  world.die(link, FailureKind::none);
  ASSERT_EQ(world.open_links(1).size(), 1U);
  LinkScript& second = *world.open_links(1).front();
  world.become_ready(second);
  EXPECT_TRUE(second.queries().empty());
  std::size_t opened_late = 0;
  for (int elapsed = 3; elapsed < 90; ++elapsed) {
    const std::size_t before = world.opener.count();
    world.wait(seconds{1});
    if (elapsed > 30) opened_late += world.opener.count() - before;
    for (LinkScript* open : world.open_links(1)) {
      if (!open->ready) world.become_ready(*open);
    }
  }
  EXPECT_EQ(world.opener.count(), 1 + reopened_max) << "it closes idle connections soon";
  EXPECT_EQ(opened_late, 0U) << "the last query was too long ago";
  EXPECT_TRUE(world.open_links(1).empty());
}

TEST(Upkeep, AServerThatClosesAtOnceIsNotReopenedForEver) {
  World world{{{1}}};
  UpstreamSpec spec = spec_of(1);
  spec.keep_warm = minutes{5};
  world.pool.apply(one_group({spec}));
  world.die(use(world), FailureKind::none);
  for (int round = 0; round < 100 && !world.open_links(1).empty(); ++round) {
    LinkScript& link = *world.open_links(1).front();
    world.become_ready(link);
    world.wait(milliseconds{600});
    world.die(link, FailureKind::none);
  }
  EXPECT_LE(world.opener.count(), 2 + reopened_max);
}

TEST(Upkeep, TheNextConnectionIsClosedBeforeTheServerWould) {
  World world{{{1}}};
  LinkScript& first = use(world);
  world.wait(seconds{4});
  world.die(first, FailureKind::none);
  LinkScript& second = use(world);
  world.wait(milliseconds{3'499});
  EXPECT_TRUE(second.open());
  world.wait(milliseconds{1});
  EXPECT_TRUE(second.said_goodbye);
  EXPECT_EQ(world.pool.report().upstreams[0].endpoints[0].idle_close, milliseconds{3'500});
}

TEST(Upkeep, AFlowForgottenOnTheWayIsNotKeptSoLongAgain) {
  World world{{{1}}};
  LinkScript& first = use(world);
  world.wait(seconds{4});
  world.ask("late.example.");  // goes into nothing
  world.wait(seconds{6});
  EXPECT_FALSE(first.open());
  EXPECT_EQ(world.pool.report().upstreams[0].endpoints[0].idle_close, seconds{2});
}

TEST(Upkeep, ActiveProbesAskEachUpstreamInItsTurn) {
  World world{{{1}}};
  world.pool.apply(
      one_group({spec_of(1), spec_of(2)},
                {.probe_name = *name_from_text("probe.example."), .probe_interval = seconds{5}}));
  world.wait(milliseconds{1});
  for (const std::uint16_t port : ports) {
    ASSERT_EQ(world.open_links(port).size(), 1U) << port;
    LinkScript& link = *world.open_links(port).front();
    world.become_ready(link);
    const auto probes = link.queries();
    ASSERT_EQ(probes.size(), 1U);
    EXPECT_EQ(probes[0].name(), "probe.example.");
    world.respond(link, probes[0].answer(1));
  }
  world.wait(seconds{5});
  EXPECT_EQ(world.open_links(1).front()->queries().size(), 1U);
}

TEST(Upkeep, WhatIsSlowIsAskedEverySecondWhetherItStillIs) {
  World world{{{1}, {2}}, Selection::fastest, 100};
  const auto turn = [&world](Duration slow) {
    for (std::size_t at = 0; at < world.opener.count(); ++at) {
      if (world.link(at).open() && !world.link(at).ready) world.become_ready(world.link(at));
    }
    world.wait(milliseconds{20});
    for (LinkScript* link : world.open_links(1)) {
      for (const SeenQuery& query : link->queries()) world.respond(*link, query.answer(1));
    }
    world.wait(slow);
    for (LinkScript* link : world.open_links(2)) {
      for (const SeenQuery& query : link->queries()) world.respond(*link, query.answer(2));
    }
  };
  for (int query = 0; query < 100; ++query) {
    world.ask("slow" + std::to_string(query) + ".example.");
    turn(milliseconds{200});
  }
  const auto sent_to = [&world](std::size_t upstream) {
    return world.pool.report().upstreams[upstream].totals.sent;
  };
  const auto slow_before = sent_to(1);
  for (int query = 0; query < 10; ++query) {
    world.ask("fast" + std::to_string(query) + ".example.");
    turn(milliseconds{200});
  }
  EXPECT_EQ(sent_to(1), slow_before) << "it is passed over";
  EXPECT_EQ(world.pool.report().upstreams[1].why, "passed over: another one is faster");
  for (int query = 0; query < 1'000; ++query) {  // twenty seconds in which it is fast
    world.ask("again" + std::to_string(query) + ".example.");
    turn(Duration{0});
  }
  EXPECT_GT(sent_to(1), slow_before + 200) << "and takes its share again";
  EXPECT_GT(world.counters.probes.value(), 3U);
}

TEST(Upkeep, ConnectionsWhosePathHasGoneAreLeftAtOnce) {
  World world{{{1}}};
  LinkScript& first = use(world);
  const auto token = world.ask("under.way.example.");
  world.pool.on_network_change();
  world.end_turn();
  EXPECT_TRUE(first.open()) << "nothing has changed for this endpoint";
  world.opener.paths[1] = "198.51.100.7";
  world.pool.on_network_change();
  world.end_turn();
  EXPECT_FALSE(first.open());
  ASSERT_EQ(world.open_links(1).size(), 1U);
  LinkScript& second = *world.open_links(1).front();
  world.become_ready(second);
  const auto again = second.queries();
  ASSERT_EQ(again.size(), 1U);
  world.respond(second, again[0].answer(9));
  EXPECT_EQ(world.answers[token], 9);
  EXPECT_EQ(world.count(UpstreamEvent::Kind::failed), 0U);
}

TEST(Upkeep, ANewPathIsTriedAtOnceWhateverFailedOnTheOldOne) {
  World world{{{1}}};
  world.opener.paths[1] = "";
  world.ask();
  for (int step = 0; step < 300; ++step) {
    for (LinkScript* link : world.open_links(1)) world.die(*link, FailureKind::no_route);
    world.wait(milliseconds{100});
  }
  for (LinkScript* link : world.open_links(1)) world.die(*link, FailureKind::no_route);
  const std::size_t before = world.opener.count();
  world.opener.paths[1] = "192.0.2.77";
  world.pool.on_network_change();
  world.end_turn();
  world.wait(milliseconds{1});
  EXPECT_EQ(world.opener.count(), before + 1);
}

TEST(Upkeep, WhatWasOpenWhenTheMachineWasSuspendedIsNotTrusted) {
  World world{{{1}}};
  LinkScript& first = use(world);
  world.now += minutes{10};  // nobody has looked at any deadline
  const auto token = world.ask("after.example.");
  ASSERT_EQ(world.open_links(1).size(), 2U) << "the query itself does not go into the old one";
  LinkScript& second = *world.open_links(1).back();
  world.become_ready(second);
  const auto queries = second.queries();
  ASSERT_EQ(queries.size(), 1U);
  world.respond(second, queries[0].answer(5));
  EXPECT_EQ(world.answers[token], 5);
  world.exchanges.on_deadline();
  EXPECT_FALSE(first.open());
  EXPECT_EQ(world.count(UpstreamEvent::Kind::failed), 0U);
}

TEST(Upkeep, WhenTheClockIsSetWhatWasNotValidYetIsTriedAgain) {
  World world{{{1}}};
  world.ask();
  world.die(world.link(0), FailureKind::authentication);
  EXPECT_EQ(world.failures.size(), 1U);
  const std::size_t before = world.opener.count();
  world.pool.on_clock_change();
  world.end_turn();
  world.wait(milliseconds{1});
  EXPECT_EQ(world.opener.count(), before + 1);
}

TEST(Upkeep, AnUpstreamWithoutAddressesIsWaitedFor) {
  World world{{{1}}};
  UpstreamSpec unresolved{.name = "tls://dns.example", .endpoints = {}};
  world.pool.apply(one_group({unresolved}));
  const auto token = world.ask();
  world.wait(seconds{2});
  EXPECT_FALSE(world.failures.contains(token));
  UpstreamSpec resolved = unresolved;
  resolved.endpoints.emplace_back();
  resolved.endpoints[0].identity.endpoint.port = 8;
  world.pool.apply(one_group({resolved}));
  world.end_turn();
  ASSERT_EQ(world.open_links(8).size(), 1U);
  LinkScript& link = *world.open_links(8).front();
  world.become_ready(link);
  world.respond(link, link.queries().front().answer(3));
  EXPECT_EQ(world.answers[token], 3);
}

}  // namespace
}  // namespace sotto
