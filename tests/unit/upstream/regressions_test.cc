// What went wrong once where several parts meet.
#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Question question_of(std::string_view name) {
  return Question{name_from_text(name)->octets(), rtype::a, rclass::in, {}};
}

void connect_all(World& world) {
  for (std::size_t at = 0; at < world.opener.count(); ++at) {
    if (world.link(at).open() && !world.link(at).ready) world.become_ready(world.link(at));
  }
}

TEST(Regressions, AQueryThatIsAnsweredBadlyHoldsUpNobody) {
  World world{{{1}}};
  world.ask("bad.example.");
  world.become_ready(world.link(0));
  for (std::size_t send = 0; send < sends_per_upstream_max + wrong_excused_max; ++send) {
    const auto queries = world.link(0).queries();
    ASSERT_EQ(queries.size(), 1U);
    auto cut = queries.front().answer();
    cut.pop_back();
    world.respond(world.link(0), cut);
  }
  for (int name = 0; name < 6; ++name) {
    world.exchanges.start(question_of("good" + std::to_string(name) + ".example."), 100);
  }
  world.end_turn();
  EXPECT_EQ(world.link(0).queries().size(), 6U);
}

TEST(Regressions, WhoAsksAgainWhatWasGivenUpHasAllTheTime) {
  World world{{{1}}};
  const auto first = world.ask("known.example.");
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().answer());
  ASSERT_TRUE(world.answers.contains(first));
  const ExchangeId id = world.exchanges.start(question_of("again.example."), 77);
  world.end_turn();
  EXPECT_FALSE(world.exchanges.cancel(id));
  world.link(0).die(FailureKind::transport);
  world.exchanges.resume(id);
  world.end_turn();
  world.wait(world.exchanges.timeout() - milliseconds{1});
  EXPECT_FALSE(world.failures.contains(77));
  world.wait(milliseconds{1});
  EXPECT_TRUE(world.failures.contains(77));
}

TEST(Regressions, AServerThatFailsOnEverythingDoesNotCloseItsBreaker) {
  World world{{{1}, {2}}, Selection::order, 0};
  std::size_t asked_first = 0;
  for (int query = 0; query < 1'000; ++query) {  // ten seconds
    world.ask("n" + std::to_string(query) + ".example.");
    for (int turn = 0; turn < 2; ++turn) {
      connect_all(world);
      world.wait(milliseconds{5});
      for (const auto& link : world.opener.links) {
        if (!link->open()) continue;
        const bool first = link->peer.endpoint.port == 1;
        for (const SeenQuery& seen : link->queries()) {
          asked_first += first && query >= 500 && seen.name() != "." ? 1U : 0U;
          world.respond(*link, first ? seen.response(rcode::servfail) : seen.answer());
        }
      }
    }
  }
  EXPECT_EQ(world.count(UpstreamEvent::Kind::avoided), 1U);
  EXPECT_EQ(asked_first, 0U) << "only queries of our own go there";
  EXPECT_TRUE(world.failures.empty());
}

TEST(Regressions, WithoutHedgingASlowUpstreamStillComesBack) {
  World world{{{1}, {2}}, Selection::fastest, 0};
  std::size_t recovered = 0;
  for (int query = 0; query < 3'000; ++query) {
    const bool slow = query < 1'000;
    world.ask("n" + std::to_string(query) + ".example.");
    connect_all(world);
    for (const auto& link : world.opener.links) {
      if (!link->open()) continue;
      const bool second = link->peer.endpoint.port == 2;
      for (const SeenQuery& seen : link->queries()) {
        recovered += second && query >= 2500 ? 1U : 0U;
        world.now += milliseconds{!second ? 10 : slow ? 60 : 2};
        world.respond(*link, seen.answer());
      }
    }
    world.wait(milliseconds{1});
  }
  EXPECT_GT(recovered, 400U);
}

TEST(Regressions, ANewPathIsWarmAgainAtOnce) {
  World world{{{1}}};
  UpstreamSpec spec{.name = "upstream-1", .endpoints = {{}}, .keep_warm = seconds{60}};
  spec.endpoints[0].identity.endpoint.port = 1;
  world.pool.apply({.groups = {{.name = "default", .upstreams = {spec}}}, .health = {}});
  world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), world.link(0).queries().front().answer());
  world.opener.paths[1] = "198.51.100.7";
  world.pool.on_network_change();
  world.end_turn();
  EXPECT_EQ(world.opener.count(), 2U);
  EXPECT_EQ(world.open_links(1).size(), 1U);
}

TEST(Regressions, NobodyConnectsToAnAddressThatIsNotConfiguredAnyMore) {
  World world{{{1}}, Selection::order, 100};
  for (int query = 0; query < 40; ++query) {
    world.ask("n" + std::to_string(query) + ".example.");
    connect_all(world);
    world.wait(milliseconds{20});
    world.respond(world.link(0), world.link(0).queries().front().answer());
  }
  world.ask("late.example.");
  UpstreamSpec moved{.name = "upstream-1", .endpoints = {{}}};
  moved.endpoints[0].identity.endpoint.port = 9;
  world.pool.apply({.groups = {{.name = "default", .upstreams = {moved}}}, .health = {}});
  world.end_turn();
  const std::size_t before = world.opener.count();
  world.wait(seconds{1});
  for (std::size_t at = before; at < world.opener.count(); ++at) EXPECT_EQ(world.port(at), 9);
}

TEST(Regressions, SecondCopiesOfAnswersDoNoHarm) {
  World world{{{1}}, Selection::fastest, 100};
  for (int query = 0; query < 200; ++query) {
    const auto token = world.ask("n" + std::to_string(query) + ".example.");
    connect_all(world);
    world.wait(milliseconds{5});
    LinkScript& link = *world.open_links(1).front();
    for (const SeenQuery& seen : link.queries()) {
      world.respond(link, seen.answer());
      world.respond(link, seen.answer());
    }
    ASSERT_TRUE(world.answers.contains(token));
  }
  EXPECT_EQ(world.opener.count(), 1U);
  EXPECT_EQ(world.counters.sent.value(), 200U);
  EXPECT_EQ(world.counters.resent.value() + world.counters.hedged.value(), 0U);
  EXPECT_EQ(world.count(UpstreamEvent::Kind::avoided), 0U);
}

}  // namespace
}  // namespace sotto
