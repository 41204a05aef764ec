#include "app/health.h"

#include <algorithm>
#include <string>

#include "app/upstream_status.h"

namespace sotto {

namespace {

HttpAnswer good(std::string_view how = "") {
  return {.text = "ok\n" + std::string(how)};
}

HttpAnswer bad(std::string why) {
  return {.status = http_status::service_unavailable, .text = std::move(why)};
}

}  // namespace

HttpAnswer live_answer(const std::vector<WorkerState>& workers) {
  std::string stuck;
  for (std::size_t worker = 0; worker < workers.size(); ++worker) {
    if (workers[worker].kind != WorkerState::Kind::stuck) continue;
    stuck += "worker " + std::to_string(worker) + " does not respond\n";
  }
  return stuck.empty() ? good() : bad(stuck);
}

HttpAnswer ready_answer(ServingPhase phase, const std::function<std::vector<WorkerState>()>& look,
                        const std::function<bool()>& has_stale_answers) {
  if (phase == ServingPhase::starting) return bad("starting\n");
  if (phase == ServingPhase::draining) return bad("stopping\n");
  const std::vector<WorkerState> workers = look();
  if (std::none_of(workers.begin(), workers.end(), [](const WorkerState& worker) {
        return worker.kind == WorkerState::Kind::up;
      })) {
    return bad("no worker responds\n");
  }
  if (merge_reports(workers).usable) return good();
  if (has_stale_answers()) return good("no upstream is usable; stale answers are given\n");
  return bad("no upstream is usable\n");
}

}  // namespace sotto
