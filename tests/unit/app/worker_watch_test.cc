#include "app/worker_watch.h"

#include <condition_variable>
#include <gtest/gtest.h>
#include <memory>
#include <thread>

#include "app/health.h"
#include "transport/loop_io.h"

namespace sotto {
namespace {

using Kind = WorkerState::Kind;

constexpr std::chrono::milliseconds short_patience{50};
// For what does happen.
constexpr std::chrono::seconds long_patience{30};

// A thread with a loop, like a worker's, that can be held up. Its reports are numbered.
class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() {
    release();
    end();
  }

  void hold() {
    held_ = std::make_unique<std::promise<void>>();
    auto reached = std::make_shared<std::promise<void>>();
    loop_.post([reached, until = std::make_shared<std::future<void>>(held_->get_future())] {
      reached->set_value();
      until->wait();
    });
    reached->get_future().wait();
  }
  void release() {
    if (held_) held_->set_value();
    held_.reset();
  }
  void end() {
    if (!thread_.joinable()) return;
    loop_.post([this] { loop_.stop(); });
    thread_.join();
    ended_ = true;
  }

  WatchedWorker watched() {
    return {.ask =
                [this] {
                  ++asked;
                  const auto promise = std::make_shared<std::promise<WorkerReport>>();
                  loop_.post([this, promise] {
                    WorkerReport report;
                    report.waiting = ++made_;
                    promise->set_value(report);
                  });
                  return promise->get_future();
                },
            .ended = [this] { return ended_.load(); }};
  }

  std::size_t asked = 0;

 private:
  Loop loop_;
  std::size_t made_ = 0;
  std::atomic<bool> ended_{false};
  std::unique_ptr<std::promise<void>> held_;
  std::thread thread_;
};

std::size_t number(const WorkerState& state) {
  return state.report ? state.report->waiting : 0;
}

TEST(WorkerWatch, SeesWhoTurns) {
  LoopThread first;
  LoopThread second;
  WorkerWatch watch({first.watched(), second.watched()}, long_patience);
  for (std::size_t look = 1; look < 4; ++look) {
    const auto states = watch.look();
    ASSERT_EQ(states.size(), 2U);
    EXPECT_EQ(states[0].kind, Kind::up);
    EXPECT_EQ(states[1].kind, Kind::up);
    EXPECT_EQ(number(states[0]), look) << "a report of now";
  }
  EXPECT_EQ(live_answer(watch.look()).status, 200U);
}

TEST(WorkerWatch, NamesWhoIsStuck) {
  LoopThread first;
  LoopThread second;
  WorkerWatch watch({first.watched(), second.watched()}, short_patience);
  first.hold();
  second.hold();
  const auto none = watch.look();
  EXPECT_EQ(none[0].kind, Kind::stuck);
  EXPECT_EQ(none[1].kind, Kind::stuck);
  EXPECT_FALSE(none[0].report) << "it never answered";
  first.release();
  std::vector<WorkerState> states;
  do states = watch.look();
  while (states[0].kind != Kind::up);
  EXPECT_EQ(states[1].kind, Kind::stuck);
  const HttpAnswer answer = live_answer(states);
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(answer.text, "worker 1 does not respond\n");
}

TEST(WorkerWatch, AsksAStuckWorkerOnce) {
  LoopThread one;
  WorkerWatch watch({one.watched()}, short_patience);
  ASSERT_EQ(watch.look()[0].kind, Kind::up);
  one.hold();
  for (int look = 0; look < 3; ++look) {
    const auto states = watch.look();
    EXPECT_EQ(states[0].kind, Kind::stuck);
    EXPECT_EQ(number(states[0]), 1U) << "the last one known";
  }
  EXPECT_EQ(one.asked, 2U);
}

TEST(WorkerWatch, TakesNothingOldForNow) {
  LoopThread one;
  WorkerWatch watch({one.watched()}, short_patience);
  one.hold();
  ASSERT_EQ(watch.look()[0].kind, Kind::stuck);
  one.release();
  one.hold();  // what was asked for before is done, and it is stuck again
  const auto states = watch.look();
  EXPECT_EQ(states[0].kind, Kind::stuck);
  EXPECT_EQ(number(states[0]), 1U);
}

TEST(WorkerWatch, WhoHasEndedIsNotStuck) {
  LoopThread one;
  WorkerWatch watch({one.watched()}, long_patience);
  ASSERT_EQ(watch.look()[0].kind, Kind::up);
  one.end();
  const auto states = watch.look();
  EXPECT_EQ(states[0].kind, Kind::ended);
  EXPECT_EQ(number(states[0]), 1U) << "the last one known";
  EXPECT_EQ(live_answer(states).status, 200U);
}

}  // namespace
}  // namespace sotto
