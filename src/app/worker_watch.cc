#include "app/worker_watch.h"

namespace sotto {

namespace {

bool is_ready(const std::future<WorkerReport>& report, std::chrono::milliseconds patience) {
  return report.valid() && report.wait_for(patience) == std::future_status::ready;
}

}  // namespace

std::vector<WorkerState> WorkerWatch::look() {
  const std::lock_guard lock(mutex_);
  for (Watched& watched : watched_) ask(watched);
  std::vector<WorkerState> states;
  std::chrono::milliseconds patience = patience_;
  for (Watched& watched : watched_) {
    states.push_back(look_at(watched, patience));
    // The others have had their time as well.
    if (states.back().kind == WorkerState::Kind::stuck) patience = std::chrono::milliseconds{0};
  }
  return states;
}

void WorkerWatch::ask(Watched& watched) {
  // What came too late for the one who asked says nothing of now.
  if (is_ready(watched.asked, std::chrono::milliseconds{0})) watched.last = watched.asked.get();
  if (!watched.asked.valid() && !watched.worker.ended()) watched.asked = watched.worker.ask();
}

WorkerState WorkerWatch::look_at(Watched& watched, std::chrono::milliseconds patience) {
  using Kind = WorkerState::Kind;
  const bool up = is_ready(watched.asked, patience);
  if (up) watched.last = watched.asked.get();
  const Kind down = watched.worker.ended() ? Kind::ended : Kind::stuck;
  return {up ? Kind::up : down, watched.last};
}

}  // namespace sotto
