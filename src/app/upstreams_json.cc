#include <array>

#include "app/json.h"
#include "app/log_line.h"
#include "app/upstream_status.h"
#include "app/upstreams_text.h"

namespace sotto {

namespace {

std::string_view to_text(WorkerState::Kind kind) {
  switch (kind) {
    case WorkerState::Kind::up:
      return "up";
    case WorkerState::Kind::stuck:
      return "stuck";
    case WorkerState::Kind::ended:
      return "ended";
  }
  return {};
}

std::string_view to_text(FailureKind kind) {
  switch (kind) {
    case FailureKind::none:
      return "none";
    case FailureKind::transport:
      return "transport";
    case FailureKind::authentication:
      return "authentication";
    case FailureKind::no_route:
      return "no_route";
  }
  return {};
}

// null when there is nothing to tell.
void add_known(JsonWriter& json, std::string_view name, Duration duration) {
  if (duration == Duration{0}) return json.add_null(name);
  json.add_duration(name, duration);
}

void add_connection(JsonWriter& json, const ConnectionStatus& connection) {
  const ConnectionReport& report = connection.report;
  json.begin_object();
  json.add_number("worker", connection.worker);
  json.add_text("state", sotto::to_text(report.state));
  json.add_number("in_flight", report.in_flight);
  json.add_number("answered", report.answered);
  json.add_duration("age_seconds", report.age);
  json.add_duration("idle_seconds", report.idle);
  json.add_flag("resumed", report.resumed);
  json.add_text("tls", report.tls);
  json.end_object();
}

void add_endpoint(JsonWriter& json, const EndpointStatus& endpoint) {
  const EndpointReport& report = endpoint.report;
  const bool failing = report.state == EndpointReport::State::failing;
  json.begin_object();
  json.add_text("address", report.address.text());
  json.add_text("authenticated_as", report.expected);
  json.add_text("state", sotto::to_text(report.state));
  if (failing) {
    json.add_text("failure", to_text(report.failure));
    json.add_text("failure_reason", report.failure_reason);
    json.add_duration("next_attempt_seconds", report.next_attempt);
  } else {
    for (const char* name : {"failure", "failure_reason", "next_attempt_seconds"}) {
      json.add_null(name);
    }
  }
  if (report.certificate_expires) {
    json.add_text("certificate_expires", timestamp(*report.certificate_expires));
  } else {
    json.add_null("certificate_expires");
  }
  add_known(json, "idle_close_seconds", report.idle_close.value_or(Duration{0}));
  json.begin_array("connections");
  for (const ConnectionStatus& connection : endpoint.connections) add_connection(json, connection);
  json.end_array();
  json.end_object();
}

void add_totals(JsonWriter& json, const UpstreamTotals& totals) {
  json.begin_object("totals");
  json.add_number("sent", totals.sent);
  json.add_number("resent", totals.resent);
  json.add_number("hedged", totals.hedged);
  json.add_number("probes", totals.probes);
  json.add_number("answered", totals.answered);
  json.add_number("lost", totals.lost);
  json.add_number("abandoned", totals.abandoned);
  json.add_number("late", totals.late);
  json.add_number("discarded", totals.discarded);
  json.add_number("failure_answers", totals.failure_answers);
  json.add_number("connections", totals.connections);
  json.add_number("handshakes", totals.handshakes);
  json.add_number("resumptions", totals.resumptions);
  json.begin_object("failures");
  for (std::size_t cause = 0; cause < failure_causes; ++cause) {
    json.add_number(sotto::to_text(static_cast<FailureCause>(cause)), totals.failures[cause]);
  }
  json.end_object();
  json.end_object();
}

void add_upstream(JsonWriter& json, const UpstreamStatus& upstream) {
  const UpstreamReport& report = upstream.report;
  json.begin_object();
  json.add_text("group", report.group);
  json.add_text("select", sotto::to_text(report.selection));
  json.add_text("name", report.name);
  json.add_flag("usable", report.usable);
  json.begin_array("why");
  for (const ReasonStatus& reason : upstream.reasons) json.add_element(reason.why);
  json.end_array();
  json.begin_object("latency_seconds");
  add_known(json, "p50", report.p50);
  add_known(json, "p95", report.p95);
  add_known(json, "p99", report.p99);
  json.end_object();
  json.add_number("in_flight", report.in_flight);
  add_totals(json, report.totals);
  json.begin_array("endpoints");
  for (const EndpointStatus& endpoint : upstream.endpoints) add_endpoint(json, endpoint);
  json.end_array();
  json.end_object();
}

}  // namespace

std::string upstreams_json(const std::vector<WorkerState>& workers) {
  const UpstreamsStatus status = merge_reports(workers);
  JsonWriter json;
  json.begin_object();
  json.begin_array("workers");
  for (const WorkerState& worker : workers) json.add_element(to_text(worker.kind));
  json.end_array();
  json.add_flag("usable", status.usable);
  json.add_number("hedges_denied", status.hedges_denied);
  json.begin_array("upstreams");
  for (const UpstreamStatus& upstream : status.upstreams) add_upstream(json, upstream);
  json.end_array();
  json.end_object();
  return json.text();
}

}  // namespace sotto
