// Reports of workers as tests of what is shown want them.
#pragma once

#include "app/worker_watch.h"

namespace sotto::test {

inline SocketAddress address(std::string_view text) {
  return SocketAddress::parse(text).value();
}

// One that answers over one connection, and an address of it that cannot be reached.
inline UpstreamReport good_upstream() {
  UpstreamReport upstream;
  upstream.group = "main";
  upstream.selection = Selection::fastest;
  upstream.name = "good";
  upstream.usable = true;
  upstream.why = "used: the only one of its group";
  upstream.p50 = std::chrono::microseconds{12'300};
  upstream.p95 = std::chrono::milliseconds{40};
  upstream.p99 = std::chrono::milliseconds{1'500};
  upstream.in_flight = 2;
  upstream.totals.sent = 100;
  upstream.totals.resent = 3;
  upstream.totals.hedged = 4;
  upstream.totals.probes = 1;
  upstream.totals.answered = 90;
  upstream.totals.late = 5;
  upstream.totals.lost = 6;
  upstream.totals.abandoned = 10;
  upstream.totals.discarded = 7;
  upstream.totals.failure_answers = 8;
  upstream.totals.connections = 11;
  upstream.totals.handshakes = 9;
  upstream.totals.resumptions = 2;
  upstream.totals.failures[static_cast<std::size_t>(FailureCause::connect)] = 3;
  upstream.totals.failures[static_cast<std::size_t>(FailureCause::silent)] = 1;
  upstream.connect.add(std::chrono::milliseconds{4});
  upstream.handshake.add(std::chrono::milliseconds{20});
  upstream.wait.add(std::chrono::milliseconds{10});
  upstream.wait.add(std::chrono::seconds{11});
  EndpointReport works;
  works.address = address("192.0.2.1:853");
  works.expected = "dns.example";
  works.state = EndpointReport::State::works;
  works.certificate_expires = WallTime{std::chrono::seconds{1'800'000'000}};
  works.idle_close = std::chrono::seconds{8};
  works.connections.push_back({.state = ConnectionReport::State::ready,
                               .age = std::chrono::minutes{5},
                               .idle = std::chrono::milliseconds{250},
                               .in_flight = 2,
                               .answered = 90,
                               .resumed = true,
                               .tls = "TLS1.3 X25519 AES-128-GCM"});
  EndpointReport failing;
  failing.address = address("[2001:db8::1]:853");
  failing.expected = "dns.example";
  failing.state = EndpointReport::State::failing;
  failing.failure = FailureKind::no_route;
  failing.failure_reason = "Network is unreachable";
  failing.next_attempt = std::chrono::milliseconds{300};
  upstream.endpoints = {works, failing};
  return upstream;
}

// One whose name is not resolved yet.
inline UpstreamReport unresolved_upstream() {
  UpstreamReport upstream;
  upstream.group = "reserve";
  upstream.selection = Selection::order;
  upstream.name = "tls://dns.example";
  upstream.why = "its name is not resolved yet";
  return upstream;
}

inline WorkerState worker(std::vector<UpstreamReport> upstreams,
                          WorkerState::Kind kind = WorkerState::Kind::up) {
  WorkerReport report;
  report.pool.upstreams = std::move(upstreams);
  for (const UpstreamReport& upstream : report.pool.upstreams) {
    if (upstream.usable) report.pool.usable = true;
  }
  return {kind, std::move(report)};
}

}  // namespace sotto::test
