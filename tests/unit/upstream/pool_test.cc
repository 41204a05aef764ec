// Connections of a pool: how many there are, and what a new configuration does to them.
#include "upstream/pool.h"

#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Pool, AFullPipelineOpensAnotherConnection) {
  World world{{{1}}};
  world.ask();
  world.become_ready(world.link(0));
  for (std::size_t query = 1; query < pipeline_queries_max; ++query) world.ask();
  EXPECT_EQ(world.opener.count(), 1U);
  world.ask();
  EXPECT_EQ(world.opener.count(), 2U);
  world.become_ready(world.link(1));
  EXPECT_EQ(world.link(1).queries().size(), 1U);
}

TEST(Pool, ConnectionsToOneUpstreamAreLimited) {
  World world{{{1}}};
  for (std::size_t round = 0; round < 3 * connections_per_upstream_max; ++round) {
    world.ask();
    for (LinkScript* link : world.open_links(1)) {
      if (link->written.empty()) world.become_ready(*link);
    }
    world.wait(suspicion_without_samples);
    ASSERT_LE(world.open_links(1).size(), connections_per_upstream_max);
  }
}

TEST(Pool, ASilentConnectionIsClosedWhenNobodyCanWaitForItAnyMore) {
  World world{{{1}}};
  world.ask();
  world.become_ready(world.link(0));
  world.wait(suspicion_without_samples + suspect_lifetime);
  EXPECT_FALSE(world.link(0).open());
}

TEST(Pool, IdleConnectionsCloseInOrderAndThatIsNoFailure) {
  World world{{{1}}};
  world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().answer());
  world.wait(seconds{9});
  EXPECT_TRUE(world.link(0).said_goodbye);
  EXPECT_EQ(world.count(UpstreamEvent::Kind::failed), 0U);
  world.ask();
  EXPECT_EQ(world.opener.count(), 2U) << "opened again without any back-off";
}

// A server that closes each connection after so many answers, and has done so twice; then two
// queries are left.
void close_twice_after(World& world, std::size_t answers_max) {
  for (std::size_t asked = 0; asked < 2 * answers_max + 2; ++asked) world.ask();
  for (std::size_t index : {0U, 1U}) {
    world.become_ready(world.link(index));
    const auto queries = world.link(index).queries();
    for (std::size_t at = 0; at < answers_max; ++at) {
      world.respond(world.link(index), queries[at].answer());
    }
    world.die(world.link(index), FailureKind::none);
  }
}

TEST(Pool, TheNextConnectionIsThereBeforeTheServerClosesThisOne) {
  constexpr std::size_t answers_max = 30;
  constexpr std::size_t left_when_opened = 6;
  World world{{{1}}};
  close_twice_after(world, answers_max);
  world.become_ready(world.link(2));
  for (const SeenQuery& query : world.link(2).queries()) {
    world.respond(world.link(2), query.answer());
  }
  ASSERT_EQ(world.answers.size(), 2 * answers_max + 2) << "what was lost was asked again";
  world.wait(backoff_first);

  for (std::size_t sent = 3; sent <= answers_max; ++sent) {
    world.ask();
    EXPECT_EQ(world.opener.count(), sent + left_when_opened < answers_max ? 3U : 4U) << sent;
    world.respond(world.link(2), world.link(2).queries().at(0).answer());
  }
  world.become_ready(world.link(3));
  world.ask();
  EXPECT_TRUE(world.link(2).queries().empty()) << "it has been given all that it will answer";
  EXPECT_EQ(world.link(3).queries().size(), 1U);
}

// A connection that is still open when it should not be takes more.
TEST(Pool, AConnectionThatIsNotClosedAtTheLimitRefutesIt) {
  World world{{{1}}};
  close_twice_after(world, 1);
  for (std::size_t index : {2U, 3U}) {
    world.become_ready(world.link(index));
    const auto queries = world.link(index).queries();
    ASSERT_EQ(queries.size(), 1U) << "one answer a connection, as it seems";
    world.respond(world.link(index), queries[0].answer());
  }
  world.wait(suspicion_max);
  world.ask();
  world.respond(world.link(2), world.link(2).queries().at(0).answer());
  const std::size_t opened = world.opener.count();
  for (int query = 0; query < 20; ++query) world.ask();
  EXPECT_EQ(world.link(2).queries().size(), 20U);
  EXPECT_EQ(world.opener.count(), opened);
}

TEST(Pool, AServerThatAcceptsAndClosesIsBackedOffFrom) {
  World world{{{1}}};
  world.ask();
  const std::size_t before = world.opener.count();
  for (int round = 0; round < 100; ++round) {
    for (LinkScript* link : world.open_links(1)) {
      world.become_ready(*link);
      if (link->open()) world.die(*link, FailureKind::none);
    }
    world.wait(milliseconds{10});
  }
  EXPECT_LE(world.opener.count() - before, 20U) << "in one second, at 50 to 100 ms apart";
  EXPECT_TRUE(world.failures.empty()) << "it may be back in time";
  EXPECT_EQ(world.counters.sent.value() + world.counters.resent.value(),
            sends_per_upstream_max - 1);
}

TEST(Pool, AServerThatClosesBeforeAnythingIsAskedIsBackedOffFrom) {
  World world{{{1}}};
  world.ask();
  for (int round = 0; round < 100; ++round) {
    for (LinkScript* link : world.open_links(1)) {
      link->ready = true;
      link->events->on_tcp_connected();
      LinkEvents* events = link->events;
      events->on_link_ready({});
      link->die(FailureKind::none);  // in the same turn
      world.end_turn();
    }
    world.wait(milliseconds{10});
  }
  EXPECT_LE(world.opener.count(), 20U);
}

TEST(Pool, SilentConnectionsMakeRoomForANewOne) {
  World world{{{1}}};
  world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().answer());
  for (std::size_t silent = 0; silent < connections_per_upstream_max + 2; ++silent) {
    world.ask("q" + std::to_string(silent) + ".example.");
    for (LinkScript* link : world.open_links(1)) {
      if (!link->ready) world.become_ready(*link);
    }
    world.wait(suspicion_max);
  }
  const auto token = world.ask("last.example.");
  world.wait(milliseconds{100});
  for (LinkScript* link : world.open_links(1)) {
    if (!link->ready) world.become_ready(*link);
    for (const SeenQuery& query : link->queries()) {
      if (query.name() == "last.example.") world.respond(*link, query.answer(7));
    }
  }
  EXPECT_EQ(world.answers[token], 7);
  EXPECT_LE(world.open_links(1).size(), connections_per_upstream_max);
}

TEST(Pool, AnOldConnectionsEndDoesNotUndoWhatAYoungerOneProved) {
  World world{{{1}}};
  world.ask();
  world.become_ready(world.link(0));
  world.wait(suspicion_without_samples + milliseconds{100});
  ASSERT_EQ(world.opener.count(), 2U);
  world.become_ready(world.link(1));
  world.respond(world.link(1), world.link(1).queries().front().answer());
  const std::size_t failed = world.count(UpstreamEvent::Kind::failed);
  world.wait(suspect_lifetime);
  EXPECT_FALSE(world.link(0).open());
  EXPECT_EQ(world.count(UpstreamEvent::Kind::failed), failed);
}

TEST(Pool, AConnectionSurvivesAReloadThatKeepsItsEndpoint) {
  World world{{{1}, {2}}};
  world.ask();
  world.become_ready(world.link(0));
  const SeenQuery query = world.link(0).queries().front();
  world.apply({{3}, {1}});
  world.end_turn();
  EXPECT_TRUE(world.link(0).open());
  world.respond(world.link(0), query.answer(1));
  EXPECT_EQ(world.answers.size(), 1U);
}

TEST(Pool, ARemovedUpstreamFinishesWhatItCarriesAndCloses) {
  World world{{{1}}};
  world.ask();
  world.become_ready(world.link(0));
  const SeenQuery query = world.link(0).queries().front();
  world.apply({{2}});
  world.end_turn();
  EXPECT_TRUE(world.link(0).open());
  world.ask();
  EXPECT_TRUE(world.link(0).queries().empty()) << "no new queries for what is gone";
  EXPECT_EQ(world.port(1), 2);
  world.respond(world.link(0), query.answer(1));
  EXPECT_EQ(world.answers.size(), 1U);
  EXPECT_FALSE(world.link(0).open());
}

TEST(Pool, WaitingQueriesGoToTheNewUpstreamAfterAReload) {
  World world{{{1}}};
  const auto token = world.ask();
  world.die(world.link(0));
  world.apply({{2}});
  world.end_turn();
  ASSERT_EQ(world.open_links(2).size(), 1U);
  LinkScript& link = *world.open_links(2).front();
  world.become_ready(link);
  world.respond(link, link.queries().front().answer(2));
  EXPECT_EQ(world.answers[token], 2);
}

TEST(Pool, ReportsFailureAndRecovery) {
  World world{{{1}}};
  world.ask();
  world.die(world.link(0));
  EXPECT_EQ(world.count(UpstreamEvent::Kind::failed), 1U);
  world.wait(milliseconds{100});
  world.become_ready(world.link(1));
  EXPECT_EQ(world.count(UpstreamEvent::Kind::recovered), 0U) << "not before it answers";
  world.respond(world.link(1), world.link(1).queries().front().answer());
  EXPECT_EQ(world.count(UpstreamEvent::Kind::recovered), 1U);
}

}  // namespace
}  // namespace sotto
