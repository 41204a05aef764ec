// A pool's state as a copy for whoever watches.
#include <algorithm>

#include "upstream/pool.h"

namespace sotto {
namespace {

ConnectionReport::State state_of(const Connection& connection) {
  switch (connection.state()) {
    case Connection::State::connecting:
      return ConnectionReport::State::connecting;
    case Connection::State::handshaking:
      return ConnectionReport::State::handshaking;
    case Connection::State::ready:
      break;
    case Connection::State::draining:
    case Connection::State::closed:
      return ConnectionReport::State::draining;
  }
  return connection.suspect() ? ConnectionReport::State::suspect : ConnectionReport::State::ready;
}

ConnectionReport report_of(const Connection& connection, Instant now) {
  return {.state = state_of(connection),
          .age = now - connection.began(),
          .idle = now - connection.last_use(),
          .in_flight = connection.outstanding(),
          .answered = connection.answered(),
          .resumed = connection.link().resumed,
          .tls = connection.link().description};
}

EndpointReport::State state_of(const Endpoint& endpoint) {
  if (endpoint.known_failing) return EndpointReport::State::failing;
  if (endpoint.health.open()) return EndpointReport::State::avoided;
  return endpoint.last_answer == Instant{} ? EndpointReport::State::untried
                                           : EndpointReport::State::works;
}

EndpointReport report_of(const Endpoint& endpoint, Instant now) {
  EndpointReport report;
  report.address = endpoint.spec.identity.endpoint;
  report.expected = endpoint.spec.identity.expected();
  report.state = state_of(endpoint);
  if (endpoint.known_failing) {
    const Backoff backoff = endpoint.backoff->snapshot();
    report.failure = backoff.last_failure();
    report.failure_reason = endpoint.failure_reason;
    report.next_attempt = std::max(backoff.next_attempt() - now, Duration{0});
  }
  report.idle_close = endpoint.idle_limit.get(now);
  report.certificate_expires = endpoint.certificate_expires;
  for (const auto& connection : endpoint.connections) {
    if (connection->state() == Connection::State::closed) continue;
    report.connections.push_back(report_of(*connection, now));
  }
  return report;
}

}  // namespace

FailureKind kind_of(FailureCause cause) {
  switch (cause) {
    case FailureCause::no_route:
      return FailureKind::no_route;
    case FailureCause::authentication:
      return FailureKind::authentication;
    case FailureCause::connect:
    case FailureCause::handshake:
    case FailureCause::closed:
    case FailureCause::lost:
    case FailureCause::silent:
    case FailureCause::garbled:
      break;
  }
  return FailureKind::transport;
}

std::string_view to_text(FailureCause cause) {
  switch (cause) {
    case FailureCause::no_route:
      return "no_route";
    case FailureCause::connect:
      return "connect";
    case FailureCause::handshake:
      return "handshake";
    case FailureCause::authentication:
      return "authentication";
    case FailureCause::closed:
      return "closed";
    case FailureCause::lost:
      return "lost";
    case FailureCause::silent:
      return "silent";
    case FailureCause::garbled:
      return "garbled";
  }
  return {};
}

std::string_view to_text(ConnectionReport::State state) {
  switch (state) {
    case ConnectionReport::State::connecting:
      return "connecting";
    case ConnectionReport::State::handshaking:
      return "handshaking";
    case ConnectionReport::State::ready:
      return "ready";
    case ConnectionReport::State::suspect:
      return "suspect";
    case ConnectionReport::State::draining:
      return "draining";
  }
  return {};
}

std::string_view to_text(EndpointReport::State state) {
  switch (state) {
    case EndpointReport::State::untried:
      return "untried";
    case EndpointReport::State::works:
      return "works";
    case EndpointReport::State::failing:
      return "failing";
    case EndpointReport::State::avoided:
      return "avoided";
  }
  return {};
}

// Why selection takes it or passes it over, for people.
std::string Pool::why(const Upstream& upstream) const {
  if (upstream.endpoints.empty()) return "its name is not resolved yet";
  if (avoided(upstream)) {
    const bool failing = std::all_of(upstream.endpoints.begin(), upstream.endpoints.end(),
                                     [](const auto& endpoint) { return endpoint->known_failing; });
    return failing ? "avoided: none of its addresses can be used"
                   : "avoided: too many of its recent answers were bad";
  }
  const Group& group = groups_[upstream.group];
  for (std::uint32_t before = 0; before < group.first; ++before) {
    if (!avoided(*upstreams_[before])) return "in reserve: a group before its own works";
  }
  if (group.count == 1) return "used: the only one of its group";
  switch (group.selection) {
    case Selection::order:
      for (std::uint32_t before = group.first; upstreams_[before].get() != &upstream; ++before) {
        if (!avoided(*upstreams_[before])) return "in reserve: one before it works";
      }
      return "used: the first that works";
    case Selection::hash:
      return "used for its share of names";
    case Selection::random:
      return "used for its share of queries";
    case Selection::all:
      return "used: every query is asked here too";
    case Selection::fastest:
      break;
  }
  if (upstream.expected.value() == Duration{0}) return "used: not known yet how fast it is";
  for (std::uint32_t place = group.first; place < group.first + group.count; ++place) {
    const Upstream& other = *upstreams_[place];
    const Duration expected = other.expected.value();
    if (avoided(other) || expected == Duration{0} || expected > upstream.expected.value()) continue;
    if (!alike(expected, upstream.expected.value())) return "passed over: another one is faster";
  }
  return "used: as fast as any of its group";
}

PoolReport Pool::report() const {
  PoolReport report;
  report.usable = usable();
  for (const auto& upstream : upstreams_) {
    const LatencyEstimate& latency = upstream->latency;
    UpstreamReport one{.group = groups_[upstream->group].name,
                       .selection = groups_[upstream->group].selection,
                       .name = upstream->spec.name,
                       .usable = usable(*upstream),
                       .why = why(*upstream),
                       .p50 = latency.quantile(0.50),
                       .p95 = latency.quantile(0.95),
                       .p99 = latency.quantile(0.99),
                       .expected = upstream->expected.value(),
                       .in_flight = 0,
                       .totals = upstream->totals,
                       .connect = upstream->connect,
                       .handshake = upstream->handshake,
                       .wait = upstream->wait,
                       .endpoints = {}};
    for (const auto& endpoint : upstream->endpoints) {
      one.endpoints.push_back(report_of(*endpoint, now_));
      for (const auto& connection : endpoint->connections) {
        one.in_flight += connection->outstanding();
      }
    }
    report.upstreams.push_back(std::move(one));
  }
  return report;
}

}  // namespace sotto
