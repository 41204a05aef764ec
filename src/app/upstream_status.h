// The upstreams as all workers together see them. Test: tests/unit/app/upstream_status_test.cc.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "app/worker_watch.h"
#include "upstream/report.h"

namespace sotto {

struct ConnectionStatus {
  std::size_t worker = 0;
  ConnectionReport report;
};

// One address, as the worker sees it that had most success with it.
struct EndpointStatus {
  EndpointReport report;  // without connections
  std::vector<ConnectionStatus> connections;
};

// Why an upstream is chosen or avoided, and by which workers.
struct ReasonStatus {
  std::string why;
  std::vector<std::size_t> workers;
};

// One upstream. Counts and histograms are sums; latencies are those of the worker that has to wait
// longest.
struct UpstreamStatus {
  UpstreamReport report;  // without endpoints; usable: by any worker
  std::vector<ReasonStatus> reasons;
  std::vector<EndpointStatus> endpoints;
};

struct UpstreamsStatus {
  std::vector<UpstreamStatus> upstreams;  // in order of priority
  std::uint64_t hedges_denied = 0;
  bool usable = false;  // any upstream, by any worker that is up
};

UpstreamsStatus merge_reports(const std::vector<WorkerState>& workers);

}  // namespace sotto
