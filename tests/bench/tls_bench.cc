// TLS engine to engine, both ends in memory: what a record and a handshake cost.
#include <array>
#include <benchmark/benchmark.h>
#include <gnutls/x509.h>
#include <stdexcept>
#include <string>
#include <vector>

#include "test_certificates.h"
#include "transport/tls_engine.h"

namespace {

using sotto::SocketAddress;
using sotto::TlsEngine;
using sotto::TlsPeerIdentity;
using sotto::TlsServerCredentials;
using sotto::TlsServerSettings;
using sotto::TlsTicketKey;
using sotto::TlsTicketStore;
using sotto::TlsTrust;

// A padded query or a small answer in its frame.
constexpr std::size_t record_octets = 130;

struct World {
  sotto::test::TempDirectory directory;
  sotto::test::TestIdentity root{{.common_name = "Root", .authority = true}};
  sotto::test::TestIdentity leaf{{.dns_names = {"dns.example"}}, &root};
  std::shared_ptr<const TlsTrust> trust =
      TlsTrust::load(directory.write("root.pem", root.pem())).value();
  TlsServerSettings settings{
      .credentials = TlsServerCredentials::load({{directory.write("leaf.pem", leaf.pem()),
                                                  directory.write("leaf.key", leaf.key()->pem())}},
                                                TlsTicketKey::random())
                         .value(),
      .client_trust = nullptr,
      .client_certificate_required = true};
  TlsPeerIdentity peer{.endpoint = SocketAddress::parse("192.0.2.1:853").value(),
                       .auth_name = "dns.example",
                       .pins = {},
                       .ca_file = {}};
};

World& world() {
  static World the_world;
  return the_world;
}

void carry(TlsEngine& from, TlsEngine& to) {
  const auto octets = from.output();
  std::copy(octets.begin(), octets.end(), to.input_space(octets.size()).begin());
  to.received(octets.size());
  from.sent(octets.size());
}

struct Pair {
  explicit Pair(TlsTicketStore& tickets)
      : client(TlsEngine::client(world().trust, world().peer, tickets, "dot")),
        server(TlsEngine::server(world().settings, {"dot"})) {
    client->handshake();
    while (!client->output().empty() || !server->output().empty()) {
      carry(*client, *server);
      server->handshake();
      carry(*server, *client);
      client->handshake();
    }
    std::array<std::uint8_t, 64> none;
    client->read(none);  // takes in the tickets
    if (client->state() != TlsEngine::State::ready || server->state() != TlsEngine::State::ready) {
      throw std::runtime_error("handshake: " + client->failure().reason);
    }
  }

  std::unique_ptr<TlsEngine> client;
  std::unique_ptr<TlsEngine> server;
};

// There and back, both ends: four record operations.
void record_round_trip(benchmark::State& state) {
  TlsTicketStore tickets;
  const Pair pair(tickets);
  const std::vector<std::uint8_t> message(record_octets);
  std::array<std::uint8_t, 4'096> buffer;
  for (auto _ : state) {
    pair.client->write(message);
    carry(*pair.client, *pair.server);
    benchmark::DoNotOptimize(pair.server->read(buffer));
    pair.server->write(message);
    carry(*pair.server, *pair.client);
    benchmark::DoNotOptimize(pair.client->read(buffer));
  }
}
BENCHMARK(record_round_trip);

void full_handshake(benchmark::State& state) {
  for (auto _ : state) {
    TlsTicketStore tickets;
    const Pair pair(tickets);
    if (pair.client->resumed()) state.SkipWithError("resumed");
  }
}
BENCHMARK(full_handshake)->Unit(benchmark::kMicrosecond);

void resumed_handshake(benchmark::State& state) {
  TlsTicketStore tickets;
  const Pair first(tickets);
  for (auto _ : state) {
    const Pair pair(tickets);
    if (!pair.client->resumed()) state.SkipWithError("not resumed");
  }
}
BENCHMARK(resumed_handshake)->Unit(benchmark::kMicrosecond);

}  // namespace
