// What a listener for streams says of its connections, and what is stacked on them.
// Test: tests/integration.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "frontend/stream_counters.h"
#include "frontend/stream_protocol.h"
#include "policy/networks.h"
#include "transport/http2_server.h"
#include "transport/tls_credentials.h"
#include "transport/tls_engine.h"

namespace sotto {

struct StreamListenerSpec {
  StreamTransport transport = StreamTransport::tcp;
  std::vector<Network> proxy_from{};         // peers that send, and must send, a PROXY header
  std::string client_ca{};                   // of client certificates; empty: none are asked for
  bool client_certificate_required = true;   // false: a client may come without one
  std::string path{};                        // of DoH
  DohCounters* doh = nullptr;                // likewise; outlives all connections
  std::shared_ptr<Http2FrameRoom> frames{};  // likewise; of all its connections
};

// What TLS connections are accepted with. Those that live keep what they began with.
struct StreamTls {
  std::shared_ptr<const TlsServerCredentials> credentials;  // null: there is no TLS listener
  std::map<std::string, std::shared_ptr<const TlsTrust>> client_trust;  // by client_ca
};

// The pieces of one connection; a null engine is a connection in plaintext.
std::unique_ptr<TlsEngine> make_engine(const StreamListenerSpec& spec, const StreamTls& tls);
std::unique_ptr<StreamProtocol> make_protocol(const StreamListenerSpec& spec);

}  // namespace sotto
