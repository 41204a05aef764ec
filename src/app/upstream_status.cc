#include "app/upstream_status.h"

#include <algorithm>

namespace sotto {

namespace {

template <class Items, class IsIt>
auto& found_or_added(Items& items, IsIt is_it) {
  const auto known = std::find_if(items.begin(), items.end(), is_it);
  return known != items.end() ? *known : items.emplace_back();
}

void add(LatencyHistogram& sum, const LatencyHistogram& more) {
  for (std::size_t at = 0; at < sum.counts.size(); ++at) sum.counts[at] += more.counts[at];
  sum.sum += more.sum;
}

void add(UpstreamTotals& sum, const UpstreamTotals& more) {
  using T = UpstreamTotals;
  for (const auto total : {&T::sent, &T::resent, &T::hedged, &T::probes, &T::answered, &T::late,
                           &T::lost, &T::abandoned, &T::discarded, &T::failure_answers,
                           &T::connections, &T::handshakes, &T::resumptions}) {
    sum.*total += more.*total;
  }
  for (std::size_t at = 0; at < failure_causes; ++at) sum.failures[at] += more.failures[at];
}

// The higher, the more it tells of an endpoint when workers know different things.
int weight(EndpointReport::State state) {
  switch (state) {
    case EndpointReport::State::untried:
      return 0;
    case EndpointReport::State::failing:
      return 1;
    case EndpointReport::State::avoided:
      return 2;
    case EndpointReport::State::works:
      return 3;
  }
  return 0;
}

void add(EndpointStatus& sum, const EndpointReport& more, std::size_t worker, bool is_new) {
  for (const ConnectionReport& connection : more.connections) {
    sum.connections.push_back({worker, connection});
  }
  const auto expires = std::max(sum.report.certificate_expires, more.certificate_expires);
  const bool sooner = more.state == EndpointReport::State::failing &&
                      sum.report.state == more.state && more.next_attempt < sum.report.next_attempt;
  if (is_new || weight(more.state) > weight(sum.report.state) || sooner) sum.report = more;
  sum.report.connections.clear();
  sum.report.certificate_expires = expires;
}

void add(UpstreamStatus& sum, const UpstreamReport& more, std::size_t worker, bool is_new) {
  if (is_new) {
    sum.report = more;
    sum.report.endpoints.clear();
  } else {
    UpstreamReport& report = sum.report;
    report.usable = report.usable || more.usable;
    report.in_flight += more.in_flight;
    add(report.totals, more.totals);
    add(report.connect, more.connect);
    add(report.handshake, more.handshake);
    add(report.wait, more.wait);
    if (more.p95 > report.p95) {
      report.p50 = more.p50;
      report.p95 = more.p95;
      report.p99 = more.p99;
    }
    report.expected = std::max(report.expected, more.expected);
  }
  ReasonStatus& reason = found_or_added(
      sum.reasons, [&more](const ReasonStatus& known) { return known.why == more.why; });
  reason.why = more.why;
  reason.workers.push_back(worker);
  for (const EndpointReport& endpoint : more.endpoints) {
    const std::size_t before = sum.endpoints.size();
    EndpointStatus& same = found_or_added(sum.endpoints, [&](const EndpointStatus& known) {
      return known.report.address == endpoint.address && known.report.expected == endpoint.expected;
    });
    add(same, endpoint, worker, sum.endpoints.size() > before);
  }
}

}  // namespace

UpstreamsStatus merge_reports(const std::vector<WorkerState>& workers) {
  UpstreamsStatus merged;
  for (std::size_t worker = 0; worker < workers.size(); ++worker) {
    const WorkerState& state = workers[worker];
    if (!state.report) continue;
    const PoolReport& pool = state.report->pool;
    merged.hedges_denied += state.report->hedges_denied;
    if (state.kind == WorkerState::Kind::up && pool.usable) merged.usable = true;
    for (const UpstreamReport& upstream : pool.upstreams) {
      const std::size_t before = merged.upstreams.size();
      UpstreamStatus& same = found_or_added(merged.upstreams, [&](const UpstreamStatus& known) {
        return known.report.group == upstream.group && known.report.name == upstream.name;
      });
      add(same, upstream, worker, merged.upstreams.size() > before);
    }
  }
  return merged;
}

}  // namespace sotto
