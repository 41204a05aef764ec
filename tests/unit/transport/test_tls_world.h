// What the tests of the engine start from: an authority, a server dns.example, a client of it.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>

#include "test_tls_server.h"

namespace sotto::test {

// One authority and one server for all tests of a program: keys take time.
struct World {
  TempDirectory directory;
  TestIdentity root{{.common_name = "Test Root", .authority = true}};
  TestIdentity leaf{{.dns_names = {"dns.example"}}, &root};
  std::string root_file = directory.write("root.pem", root.pem());
  std::string leaf_file = directory.write("leaf.pem", leaf.pem());
  std::string key_file = directory.write("leaf.key", leaf.key()->pem());
  std::shared_ptr<const TlsTrust> trust = TlsTrust::load(root_file).value();
  TlsPeerIdentity peer{.endpoint = SocketAddress::parse("192.0.2.1:853").value(),
                       .auth_name = "dns.example",
                       .pins = {},
                       .ca_file = root_file};
};

inline World& world() {
  static World the_world;
  return the_world;
}

inline std::unique_ptr<TlsEngine> make_client(TlsTicketStore& tickets, const char* alpn = "dot") {
  return TlsEngine::client(world().trust, world().peer, tickets, alpn);
}

inline TlsServerSettings server_settings() {
  const std::vector<CertificatePair> pairs = {{world().leaf_file, world().key_file}};
  return {.credentials = TlsServerCredentials::load(pairs, TlsTicketKey::random()).value(),
          .client_trust = nullptr,
          .client_certificate_required = true};
}

inline Octets octets_of(std::string_view text) {
  return {text.begin(), text.end()};
}

inline Octets numbered(std::size_t count) {
  Octets octets(count);
  for (std::size_t i = 0; i < count; ++i) octets[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return octets;
}

// Octets of each record on the wire, its header included (RFC 8446 §5.1).
inline std::vector<std::size_t> record_octets(std::span<const std::uint8_t> wire) {
  std::vector<std::size_t> records;
  for (std::size_t at = 0; at + 5 <= wire.size(); at += records.back()) {
    records.push_back(5 + (std::size_t{wire[at + 3]} << 8U | wire[at + 4]));
  }
  return records;
}

// Tests that run over TLS 1.2 and over 1.3.
class TlsVersions : public testing::TestWithParam<const char*> {
 protected:
  TestServerOptions options() const {
    return {.priority = GetParam(), .alpn = "dot", .tickets = &key_};
  }
  TicketKey key_;
  TlsTicketStore tickets_;
};

}  // namespace sotto::test
