#include "app/health.h"

#include <gtest/gtest.h>

#include "sample_reports.h"

namespace sotto {
namespace {

using Kind = WorkerState::Kind;

TEST(Health, ReadyIsWhoCanAnswer) {
  const WorkerState usable = test::worker({test::good_upstream()});
  const WorkerState unusable = test::worker({test::unresolved_upstream()});
  const WorkerState stuck = test::worker({test::good_upstream()}, Kind::stuck);
  struct {
    const char* what;
    ServingPhase phase;
    std::vector<WorkerState> workers;
    bool stale;
    unsigned status;
    const char* text;
  } const cases[] = {
      {"not listening yet", ServingPhase::starting, {usable}, true, 503, "starting\n"},
      {"told to stop", ServingPhase::draining, {usable}, true, 503, "stopping\n"},
      {"an upstream", ServingPhase::serving, {usable}, false, 200, "ok\n"},
      {"of one worker", ServingPhase::serving, {unusable, usable}, false, 200, "ok\n"},
      {"none", ServingPhase::serving, {unusable}, false, 503, "no upstream is usable\n"},
      {"none, but something stale",
       ServingPhase::serving,
       {unusable},
       true,
       200,
       "ok\nno upstream is usable; stale answers are given\n"},
      {"nobody to answer", ServingPhase::serving, {stuck}, true, 503, "no worker responds\n"},
      {"who is stuck does not count",
       ServingPhase::serving,
       {stuck, unusable},
       false,
       503,
       "no upstream is usable\n"},
  };
  for (const auto& c : cases) {
    const HttpAnswer answer = ready_answer(
        c.phase, [&c] { return c.workers; }, [&c] { return c.stale; });
    EXPECT_EQ(answer.status, c.status) << c.what;
    EXPECT_EQ(answer.text, c.text) << c.what;
  }
}

TEST(Health, WhoStopsIsNotAskedAnything) {
  const auto look = []() -> std::vector<WorkerState> {
    ADD_FAILURE() << "a worker that is stuck would hold up the answer";
    return {};
  };
  const auto stale = [] { return true; };
  EXPECT_EQ(ready_answer(ServingPhase::starting, look, stale).status, 503U);
  EXPECT_EQ(ready_answer(ServingPhase::draining, look, stale).status, 503U);
}

TEST(Health, LiveNamesEveryStuckWorker) {
  const WorkerState up = test::worker({});
  const WorkerState stuck{Kind::stuck, std::nullopt};
  const WorkerState ended{Kind::ended, std::nullopt};
  EXPECT_EQ(live_answer({up, ended}).text, "ok\n");
  const HttpAnswer answer = live_answer({stuck, up, stuck});
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(answer.text, "worker 0 does not respond\nworker 2 does not respond\n");
}

}  // namespace
}  // namespace sotto
