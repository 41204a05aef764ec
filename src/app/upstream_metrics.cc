#include "app/upstream_metrics.h"

#include <algorithm>
#include <array>
#include <span>

namespace sotto {

namespace {

using T = UpstreamTotals;

struct LabelledTotal {
  std::string_view label;
  std::uint64_t T::*total;
};

constexpr LabelledTotal query_kinds[] = {
    {"first", &T::sent}, {"resent", &T::resent}, {"hedged", &T::hedged}, {"probe", &T::probes}};
constexpr LabelledTotal query_results[] = {
    {"answered", &T::answered}, {"lost", &T::lost}, {"abandoned", &T::abandoned}};
constexpr LabelledTotal answer_faults[] = {
    {"late", &T::late}, {"discarded", &T::discarded}, {"failure", &T::failure_answers}};

void add_each(MetricFamily& family, const UpstreamsStatus& status, std::string_view label,
              std::span<const LabelledTotal> totals) {
  for (const UpstreamStatus& upstream : status.upstreams) {
    for (const LabelledTotal& one : totals) {
      family.add({{"group", upstream.report.group},
                  {"upstream", upstream.report.name},
                  {label, one.label}},
                 upstream.report.totals.*one.total);
    }
  }
}

// One value for each upstream.
template <class Read>
void add_one(MetricFamily& family, const UpstreamsStatus& status, Read read) {
  for (const UpstreamStatus& upstream : status.upstreams) {
    family.add({{"group", upstream.report.group}, {"upstream", upstream.report.name}},
               read(upstream.report));
  }
}

void add_queries(MetricFamilies& families, const UpstreamsStatus& status) {
  add_each(families.counter("sotto_upstream_queries_total", "Queries sent to upstreams."), status,
           "kind", query_kinds);
  add_each(families.counter("sotto_upstream_query_results_total",
                            "Queries sent to upstreams by how they ended; with "
                            "sotto_upstream_in_flight as many as sotto_upstream_queries_total."),
           status, "result", query_results);
  add_each(
      families.counter("sotto_upstream_answer_faults_total",
                       "Answers that came when nobody waited any more (late), that answer "
                       "nothing that was asked (discarded), that say SERVFAIL, REFUSED or NOTIMP "
                       "(failure)."),
      status, "fault", answer_faults);
  add_one(families.gauge("sotto_upstream_in_flight", "Queries that have no answer yet."), status,
          [](const UpstreamReport& report) { return report.in_flight; });
  families
      .counter("sotto_hedges_denied_total", "Late queries not asked elsewhere beyond hedge.budget.")
      .add({}, status.hedges_denied);
}

void add_connections(MetricFamilies& families, const UpstreamsStatus& status) {
  MetricFamily& failures = families.counter(
      "sotto_upstream_failures_total", "Connections, or attempts at them, that failed, by cause.");
  for (const UpstreamStatus& upstream : status.upstreams) {
    for (std::size_t cause = 0; cause < failure_causes; ++cause) {
      failures.add({{"group", upstream.report.group},
                    {"upstream", upstream.report.name},
                    {"cause", to_text(static_cast<FailureCause>(cause))}},
                   upstream.report.totals.failures[cause]);
    }
  }
  add_one(families.counter("sotto_upstream_connections_total", "Connections begun."), status,
          [](const UpstreamReport& report) { return report.totals.connections; });
  add_one(families.counter("sotto_upstream_handshakes_total",
                           "TLS handshakes completed, resumptions too."),
          status, [](const UpstreamReport& report) { return report.totals.handshakes; });
  add_one(families.counter("sotto_upstream_resumptions_total",
                           "TLS handshakes that resumed a session."),
          status, [](const UpstreamReport& report) { return report.totals.resumptions; });
  using State = ConnectionReport::State;
  constexpr std::array states{State::connecting, State::handshaking, State::ready, State::suspect,
                              State::draining};
  MetricFamily& open =
      families.gauge("sotto_upstream_connections", "Connections to upstreams, by state.");
  for (const UpstreamStatus& upstream : status.upstreams) {
    for (const State state : states) {
      std::size_t count = 0;
      for (const EndpointStatus& endpoint : upstream.endpoints) {
        count += static_cast<std::size_t>(std::count_if(
            endpoint.connections.begin(), endpoint.connections.end(),
            [state](const ConnectionStatus& one) { return one.report.state == state; }));
      }
      open.add({{"group", upstream.report.group},
                {"upstream", upstream.report.name},
                {"state", to_text(state)}},
               count);
    }
  }
}

void add_latencies(MetricFamilies& families, const UpstreamsStatus& status) {
  MetricFamily& latency = families.histogram(
      "sotto_upstream_latency_seconds",
      "How long TCP connecting, the TLS handshake and the wait for an answer took.");
  for (const UpstreamStatus& upstream : status.upstreams) {
    const UpstreamReport& report = upstream.report;
    const std::pair<std::string_view, const LatencyHistogram&> phases[] = {
        {"connect", report.connect}, {"handshake", report.handshake}, {"wait", report.wait}};
    for (const auto& [phase, histogram] : phases) {
      latency.add({{"group", report.group}, {"upstream", report.name}, {"phase", phase}},
                  histogram);
    }
  }
}

void add_states(MetricFamilies& families, const UpstreamsStatus& status) {
  add_one(families.gauge("sotto_upstream_usable", "1: a query might be sent to it now."), status,
          [](const UpstreamReport& report) { return report.usable ? 1 : 0; });
  using State = EndpointReport::State;
  constexpr std::array states{State::untried, State::works, State::failing, State::avoided};
  MetricFamily state_family(MetricFamily::Type::Gauge, "sotto_upstream_state",
                            "1 for the state that an address of an upstream is in.");
  MetricFamily expiry_family(MetricFamily::Type::Gauge,
                             "sotto_upstream_certificate_expiry_timestamp_seconds",
                             "When the certificate seen last expires, since 1970 UTC.");
  for (const UpstreamStatus& upstream : status.upstreams) {
    for (const EndpointStatus& endpoint : upstream.endpoints) {
      const std::string address = endpoint.report.address.text();
      for (const State state : states) {
        state_family.add({{"group", upstream.report.group},
                          {"upstream", upstream.report.name},
                          {"address", address},
                          {"state", to_text(state)}},
                         state == endpoint.report.state ? 1 : 0);
      }
      if (!endpoint.report.certificate_expires) continue;
      const auto expires = endpoint.report.certificate_expires->time_since_epoch();
      expiry_family.add({{"group", upstream.report.group},
                         {"upstream", upstream.report.name},
                         {"address", address}},
                        std::chrono::duration_cast<std::chrono::seconds>(expires).count());
    }
  }
  families.add(std::move(state_family));
  families.add(std::move(expiry_family));
}

}  // namespace

void add_upstreams(MetricFamilies& families, const UpstreamsStatus& status) {
  add_states(families, status);
  add_queries(families, status);
  add_connections(families, status);
  add_latencies(families, status);
}

}  // namespace sotto
