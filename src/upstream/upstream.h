// Whom to ask: upstreams (providers) and their endpoints (addresses). Authentication and policy
// belong to the upstream; connections, back-off and what was learned of a server to the endpoint.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dns/name.h"
#include "dns/question.h"
#include "transport/tls_credentials.h"
#include "upstream/answer_limit.h"
#include "upstream/backoff.h"
#include "upstream/connection.h"
#include "upstream/edns_memory.h"
#include "upstream/health.h"
#include "upstream/idle_limit.h"
#include "upstream/latency.h"
#include "upstream/latency_histogram.h"
#include "upstream/link.h"
#include "upstream/report.h"
#include "upstream/selection.h"

namespace sotto {

// One provider as configured, in the form the pool wants.
struct UpstreamSpec {
  std::string name;
  // In order of preference; none while a host name is not resolved.
  std::vector<EndpointSpec> endpoints;
  Duration idle_timeout = std::chrono::seconds{9};
  // A connection that closes is opened again if the last query is less than this ago; 0: never.
  Duration keep_warm{0};
  bool padding = true;
};

// Upstreams of equal policy: only among them is a query hedged, raced, or asked again because of
// what one of them said.
struct GroupSpec {
  std::string name;
  Selection selection = Selection::fastest;
  std::vector<UpstreamSpec> upstreams;
};

struct HealthSpec {
  Name probe_name;             // asked for NS if it is the root, else for A
  Duration probe_interval{0};  // of each upstream, besides what clients ask; 0: never
};

// Everything the pool takes from the configuration.
struct PoolSpec {
  std::vector<GroupSpec> groups;  // in order of priority
  unsigned hedge_percent = 5;     // of queries; 0: no hedging
  HealthSpec health;
};

struct Upstream;

struct Endpoint {
  EndpointSpec spec;
  Upstream* upstream = nullptr;
  std::shared_ptr<SharedBackoff> backoff;
  Health health;
  IdleLimit idle_limit;
  EdnsMemory edns;
  // What it has shown to answer of what is sent at once on one connection.
  std::size_t in_flight_max = pipeline_queries_max;
  AnswerLimit answer_limit;
  bool known_failing = false;  // has been reported to the observer
  Instant last_failure{};
  Duration round_trip{0};  // of the last TCP handshake
  unsigned silences = 0;   // connections that became suspect since anything was answered
  Instant
      prompt_since{};  // the last query was sent that was answered before anybody got suspicious
  Instant failing_since{};
  Instant last_begun{};        // an attempt to connect
  std::string failure_reason;  // the last one
  Instant last_answer{};
  std::string path;  // LinkOpener::path_to() when it was last asked
  std::optional<WallTime> certificate_expires;
  unsigned reopened = 0;  // to keep it warm, since a client's query last went there
  std::vector<std::unique_ptr<Connection>> connections;

  Duration suspicion_after() const;
  // Does it fail otherwise than by silence?
  bool turns_away() const { return known_failing && last_failure >= failing_since; }
  // Queries that a new connection will carry at once.
  std::size_t room() const {
    return static_cast<std::size_t>(std::min<std::uint64_t>(answer_limit.get(), in_flight_max));
  }
  bool opening() const {
    return std::any_of(connections.begin(), connections.end(),
                       [](const auto& connection) { return connection->opening(); });
  }
};

struct Upstream {
  // Never used twice, so that exchanges remember whom they asked across reloads.
  std::uint32_t id = 0;
  std::uint64_t name_hash = 0;  // the same in every process
  std::uint32_t group = 0;      // its place in the pool's groups
  UpstreamSpec spec;
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  LatencyEstimate latency;
  ExpectedLatency expected;
  Instant last_query{};  // of a client
  Instant last_answer{};
  Instant last_probe{};
  bool probe_when_ready = false;
  UpstreamTotals totals;
  LatencyHistogram connect, handshake, wait;

  bool opening() const {
    return std::any_of(endpoints.begin(), endpoints.end(),
                       [](const auto& endpoint) { return endpoint->opening(); });
  }
  // Those that are not closed.
  std::size_t connection_count() const {
    std::size_t count = 0;
    for (const auto& endpoint : endpoints) {
      for (const auto& connection : endpoint->connections) {
        if (connection->state() != Connection::State::closed) ++count;
      }
    }
    return count;
  }
};

inline Duration Endpoint::suspicion_after() const {
  return upstream->latency.suspicion_after(round_trip, silences);
}

// What happens to upstreams, for logs. Views are valid during the call.
struct UpstreamEvent {
  enum class Kind : std::uint8_t {
    connected,    // TLS is up and the peer verified
    closed,       // in order
    suspect,      // silent with queries outstanding
    unsuspected,  // octets came after all
    failed,       // could not be used
    avoided,      // answers, but too often badly
    recovered,    // answers after failures
    moved,        // connections leave from another address now (detail; empty without a route)
    discarded,    // an answer that is not one
    refused,      // the server answers that it does not answer us (detail: how)
    no_edns,      // the server answered FORMERR to EDNS and is asked without for the time being
  };
  Kind kind;
  const Upstream& upstream;
  const Endpoint& endpoint;
  FailureKind failure = FailureKind::none;
  std::string_view detail = {};
};

class UpstreamObserver {
 public:
  virtual void on_upstream_event(const UpstreamEvent& event) = 0;

 protected:
  ~UpstreamObserver() = default;
};

}  // namespace sotto
