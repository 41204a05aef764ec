// Numbers of all workers' reports, added up.
#pragma once

#include <cstdint>
#include <vector>

#include "app/worker_watch.h"

namespace sotto {

// Reads one number out of each worker's last report, and adds up.
template <class Read>
std::uint64_t sum_reports(const std::vector<WorkerState>& workers, Read read) {
  std::uint64_t total = 0;
  for (const WorkerState& worker : workers) {
    if (worker.report) total += read(*worker.report);
  }
  return total;
}

}  // namespace sotto
