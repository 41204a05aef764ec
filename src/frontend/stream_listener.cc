#include "frontend/stream_listener.h"

#include <cassert>
#include <utility>

#include "frontend/dns_stream.h"
#include "frontend/doh_stream.h"

namespace sotto {
namespace {

// In order of preference. RFC 7858 §3.1 knows no ALPN; "dot" is from the registry of RFC 7301.
// Clients of HTTP/1.1 are let in to be told in words that it is not spoken.
const std::vector<std::string>& alpn_of(StreamTransport transport) {
  static const std::vector<std::string> dot = {"dot"};
  static const std::vector<std::string> https = {doh_alpn, "http/1.1"};
  return transport == StreamTransport::https ? https : dot;
}

}  // namespace

std::unique_ptr<TlsEngine> make_engine(const StreamListenerSpec& spec, const StreamTls& tls) {
  if (!is_encrypted(spec.transport)) return nullptr;
  assert(tls.credentials != nullptr && "a TLS listener without a certificate");
  TlsServerSettings settings{
      .credentials = tls.credentials,
      .client_trust = nullptr,
      .client_certificate_required = spec.client_certificate_required,
  };
  if (!spec.client_ca.empty()) {
    settings.client_trust = tls.client_trust.at(spec.client_ca);
    assert(settings.client_trust != nullptr);
  }
  return TlsEngine::server(std::move(settings), alpn_of(spec.transport));
}

std::unique_ptr<StreamProtocol> make_protocol(const StreamListenerSpec& spec) {
  if (spec.transport == StreamTransport::https) {
    assert(spec.doh != nullptr);
    return std::make_unique<DohStream>(spec.path, *spec.doh, spec.frames.get());
  }
  return std::make_unique<DnsStream>();
}

}  // namespace sotto
