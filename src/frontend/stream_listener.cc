#include "frontend/stream_listener.h"

#include <cassert>
#include <utility>

#include "frontend/dns_stream.h"
#include "frontend/doh_stream.h"

namespace sotto {

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
  // RFC 7858 §3.1 knows no ALPN; "dot" is RFC 7301's registry's.
  return TlsEngine::server(std::move(settings),
                           {spec.transport == StreamTransport::https ? doh_alpn : "dot"});
}

std::unique_ptr<StreamProtocol> make_protocol(const StreamListenerSpec& spec) {
  if (spec.transport == StreamTransport::https) {
    assert(spec.doh != nullptr);
    return std::make_unique<DohStream>(spec.path, *spec.doh);
  }
  return std::make_unique<DnsStream>();
}

}  // namespace sotto
