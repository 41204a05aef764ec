// GET /metrics: everything counted and known, in the Prometheus text format (version 0.0.4). Names
// and labels are an interface: doc/manual/watching.md lists them.
// Test: tests/unit/app/metrics_test.cc, tests/integration/test_admin.py.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "app/process_usage.h"
#include "app/worker_watch.h"
#include "cache/cache.h"
#include "transport/tls_server_credentials.h"

namespace sotto {

inline constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

struct MetricsInput {
  std::string version;  // "0.1.0"
  std::chrono::system_clock::time_point started;
  ProcessUsage process;
  CacheStats cache;
  std::vector<WorkerState> workers;
  std::vector<ServerCertificate> certificates;  // shown to clients
};

std::string metrics_text(const MetricsInput& input);

}  // namespace sotto
