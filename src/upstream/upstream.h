// Whom to ask: upstreams (providers) and their endpoints (addresses). Authentication and policy
// belong to the upstream; connections, back-off and what was learned of a server to the endpoint.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dns/question.h"
#include "transport/tls_credentials.h"
#include "upstream/backoff.h"
#include "upstream/connection.h"
#include "upstream/latency.h"

namespace sotto {

struct EndpointSpec {
  TlsPeerIdentity identity;
  std::shared_ptr<const TlsTrust> trust;
  friend bool operator==(const EndpointSpec&, const EndpointSpec&) = default;
};

// One provider as configured, in the form the pool wants.
struct UpstreamSpec {
  std::string name;
  std::vector<EndpointSpec> endpoints;  // in order of preference, at least one
  Duration idle_timeout = std::chrono::seconds{9};
  bool padding = true;
};

// A server may learn EDNS with its next version; asking with it again costs one FORMERR an hour.
inline constexpr Duration no_edns_memory = std::chrono::hours{1};

struct Upstream;

struct Endpoint {
  EndpointSpec spec;
  Upstream* upstream = nullptr;
  std::shared_ptr<SharedBackoff> backoff;
  // What this server answers on one connection before it closes it, as far as it showed.
  std::size_t in_flight_max = pipeline_queries_max;
  bool known_failing = false;  // has been reported to the observer
  Instant last_answer{};
  std::vector<std::unique_ptr<Connection>> connections;
};

struct Upstream {
  std::uint32_t id =
      0;  // never used twice, so that exchanges remember whom they asked across reloads
  UpstreamSpec spec;
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  LatencyEstimate latency;
  Instant without_edns_until{};  // a server that answers FORMERR to EDNS is asked without
};

// What happens to upstreams, for logs. Views are valid during the call.
struct UpstreamEvent {
  enum class Kind : std::uint8_t {
    connected,    // TLS is up and the peer verified
    closed,       // in order
    suspect,      // silent with queries outstanding
    unsuspected,  // octets came after all
    failed,       // could not be used
    recovered,    // answers after failures
    discarded,    // an answer that is not one
    no_edns,      // the server answered FORMERR to EDNS and is asked without from now on
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
