// What one worker has counted and knows, all of one moment; and all workers asked for it, from
// outside. Test: tests/unit/app/worker_watch_test.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "forwarder/forwarder.h"
#include "frontend/stream_counters.h"
#include "frontend/transport_counters.h"
#include "upstream/pool.h"
#include "upstream/report.h"

namespace sotto {

struct WorkerReport {
  ForwarderCounters forwarder;
  TransportCounters udp;
  StreamCountersByTransport streams;
  std::uint64_t udp_unsent = 0;
  std::uint64_t udp_headers_refused = 0;
  std::size_t waiting = 0;  // clients whose query waits for upstreams
  PoolReport pool;
  std::uint64_t hedges_denied = 0;  // late queries beyond hedge.budget
};

// A worker as those who watch it see it.
struct WatchedWorker {
  // Begins a report: its loop makes it in its next turn. Thread-safe.
  std::function<std::future<WorkerReport>()> ask;
  // Has its thread ended, in order?
  std::function<bool()> ended;
};

struct WorkerState {
  enum class Kind : std::uint8_t {
    up,     // its loop turned
    stuck,  // … did not within the watch's patience
    ended,
  };
  Kind kind{};
  std::optional<WorkerReport> report;  // the last one, of now if it is up; none: never up so far
};

class WorkerWatch {
 public:
  static constexpr std::chrono::milliseconds patience_standard{1'000};

  // workers outlive the watch.
  explicit WorkerWatch(std::vector<WatchedWorker> workers,
                       std::chrono::milliseconds patience = patience_standard)
      : patience_(patience) {
    for (WatchedWorker& worker : workers) {
      watched_.push_back({std::move(worker), {}, std::nullopt});
    }
  }

  // One element per worker. Blocks until all have turned, or for the patience after the last one
  // that did. Thread-safe.
  std::vector<WorkerState> look();

 private:
  struct Watched {
    WatchedWorker worker;
    // Asked for: a worker that is stuck is asked once, however often one looks.
    std::future<WorkerReport> asked;
    std::optional<WorkerReport> last;
  };
  static void ask(Watched& watched);
  static WorkerState look_at(Watched& watched, std::chrono::milliseconds patience);

  const std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::vector<Watched> watched_;
};

}  // namespace sotto
