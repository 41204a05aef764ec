// Paths that are stuck for a while, on one connection and then on the next.
#include <gtest/gtest.h>
#include <memory>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;

// Answered at once so often that the p95 is known: suspicion comes after the least time there is.
class StallTest : public testing::Test {
 protected:
  StallTest() { reset(); }

  void reset() {
    world = std::make_unique<World>(std::vector<std::vector<std::uint16_t>>{{1}});
    world->ask();
    world->become_ready(world->link(0));
    answer(0);
    for (int query = 0; query < 40; ++query) {
      world->ask();
      world->wait(milliseconds{1});
      answer(0);
    }
  }

  std::size_t asked(std::size_t link) { return world->link(link).queries().size(); }
  void answer(std::size_t link) {
    for (const SeenQuery& query : world->link(link).queries()) {
      world->respond(world->link(link), query.answer());
    }
  }
  // Of the only upstream.
  Duration p95() { return world->pool.upstreams().front()->latency.p95(); }

  std::unique_ptr<World> world;
};

TEST_F(StallTest, OneIsOpenedInReserveWhereOneFallsSilent) {
  world->ask();
  world->wait(suspicion_min);
  ASSERT_EQ(world->opener.count(), 2U) << "nothing else was there to ask";
  world->become_ready(world->link(1));
  answer(0);
  answer(1);

  world->ask();
  ASSERT_EQ(asked(0), 1U) << "no longer silent";
  world->wait(suspicion_min);
  EXPECT_EQ(asked(1), 1U);
  EXPECT_EQ(world->opener.count(), 3U);
}

// … and their copies were out for long enough to tell, were it not for what was answered meanwhile.
TEST_F(StallTest, TwoStuckConnectionsAreNoSlowServer) {
  for (const bool prompt : {true, false}) {
    reset();
    const Duration before = p95();
    for (int query = 0; query < 40; ++query) world->ask("stuck.example.");
    const auto stuck = world->link(0).queries();
    world->wait(suspicion_min);
    world->become_ready(world->link(1));
    ASSERT_EQ(asked(1), stuck.size()) << "the copies, which are stuck, too";
    if (prompt) {
      world->ask("prompt.example.");
      answer(1);
    }
    world->wait(milliseconds{400});
    for (const SeenQuery& query : stuck) world->respond(world->link(0), query.answer());
    EXPECT_EQ(p95() == before, prompt);
  }
}

}  // namespace
}  // namespace sotto
