// What one worker's pool knows of its upstreams, as a copy for whoever watches. Made on the
// worker's thread by Pool::report(). Durations are relative to when it was made.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "transport/address.h"
#include "upstream/backoff.h"
#include "upstream/latency_histogram.h"
#include "upstream/selection.h"

namespace sotto {

using WallTime = std::chrono::system_clock::time_point;

// Why something with an upstream went wrong.
enum class FailureCause : std::uint8_t {
  no_route,        // the host has no route, or no address, for it
  connect,         // TCP: refused, reset, timed out
  handshake,       // TLS: refused, reset, timed out, no common version
  authentication,  // not who it should be
  closed,          // closed the connection at once, without an answer
  lost,            // an established connection was reset
  silent,          // a connection was silent with queries outstanding
  garbled,         // a connection brought nothing but wrong answers
};
inline constexpr std::size_t failure_causes = 8;
FailureKind kind_of(FailureCause cause);
// "no_route", "connect", …
std::string_view to_text(FailureCause cause);

// Since the start, or since the upstream was configured.
struct UpstreamTotals {
  std::uint64_t sent = 0;             // queries of clients, first sends
  std::uint64_t resent = 0;           // … sent again after a loss, a silence or a bad answer
  std::uint64_t hedged = 0;           // … sent here as well, because another upstream was late
  std::uint64_t probes = 0;           // queries of our own that find out whether it works
  std::uint64_t answered = 0;         // right answers while somebody waited
  std::uint64_t late = 0;             // right answers that nobody waited for any more
  std::uint64_t lost = 0;             // queries its connections left unanswered when they closed
  std::uint64_t abandoned = 0;        // queries nobody waited for any more
  std::uint64_t discarded = 0;        // answers that are none: other question, unasked, malformed
  std::uint64_t failure_answers = 0;  // SERVFAIL and REFUSED
  std::uint64_t connections = 0;      // begun
  std::uint64_t handshakes = 0;       // completed, resumed ones too
  std::uint64_t resumptions = 0;
  std::array<std::uint64_t, failure_causes> failures{};  // by FailureCause
};

struct ConnectionReport {
  enum class State : std::uint8_t { connecting, handshaking, ready, suspect, draining };
  State state{};
  Duration age{};
  Duration idle{};  // since a query was sent or an answer received
  std::size_t in_flight = 0;
  std::uint64_t answered = 0;
  bool resumed = false;
  std::string tls;  // "TLS1.3 ECDHE-X25519 AES-128-GCM"; empty before the handshake is done
};
std::string_view to_text(ConnectionReport::State state);

struct EndpointReport {
  enum class State : std::uint8_t {
    untried,  // not connected to yet
    works,
    failing,  // the last attempts failed
    avoided,  // it answers, but too often badly
  };
  SocketAddress address;
  std::string expected;  // the name or address its certificate must have
  State state{};
  FailureKind failure = FailureKind::none;  // the last one, while failing
  std::string failure_reason;               // … in words
  Duration next_attempt{};                  // while failing: until the next one
  std::optional<Duration> idle_close;  // learned: the server closes idle connections after this
  std::optional<WallTime> certificate_expires;  // of the last handshake
  std::vector<ConnectionReport> connections;
};
std::string_view to_text(EndpointReport::State state);

struct UpstreamReport {
  std::string group;
  Selection selection{};
  std::string name;
  bool usable = false;           // a query might be sent to it now
  std::string why;               // why it is chosen or avoided, in words
  Duration p50{}, p95{}, p99{};  // of recent answers; zero without any
  Duration expected{};           // what selection goes by
  std::size_t in_flight = 0;
  UpstreamTotals totals;
  LatencyHistogram connect, handshake, wait;
  std::vector<EndpointReport> endpoints;  // none: a host name that is not resolved yet
};

struct PoolReport {
  std::vector<UpstreamReport> upstreams;  // in order of priority
  bool usable = false;                    // any of them
};

}  // namespace sotto
