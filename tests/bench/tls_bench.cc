// TLS engine to engine, both ends in memory: what a record and a handshake cost, and what of a
// handshake is the server's.
#include <array>
#include <benchmark/benchmark.h>
#include <ctime>
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

// Of this thread, in seconds: others disturb less than they would by the clock on the wall.
double cpu_time() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

// The server's part alone, from the first octet to the tickets.
void server_handshake(benchmark::State& state, bool resumed, bool asks) {
  TlsTicketStore tickets;
  TlsServerSettings settings = world().settings;
  if (asks) {
    settings.client_trust = world().trust;
    settings.client_certificate_required = false;
  }
  for (auto _ : state) {
    const auto client = TlsEngine::client(world().trust, world().peer, tickets, "dot");
    client->handshake();
    const double begun = cpu_time();
    const auto server = TlsEngine::server(settings, {"dot"});
    double spent = cpu_time() - begun;
    while (!client->output().empty() || !server->output().empty()) {
      carry(*client, *server);
      const double start = cpu_time();
      server->handshake();
      spent += cpu_time() - start;
      carry(*server, *client);
      client->handshake();
    }
    std::array<std::uint8_t, 64> none;
    client->read(none);
    if (!resumed) tickets.forget(world().peer);
    state.SetIterationTime(spent);
  }
}
BENCHMARK_CAPTURE(server_handshake, full, false, false)
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime();
BENCHMARK_CAPTURE(server_handshake, resumed, true, false)
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime();
BENCHMARK_CAPTURE(server_handshake, asking_full, false, true)
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime();
BENCHMARK_CAPTURE(server_handshake, asking_resumed, true, true)
    ->Unit(benchmark::kMicrosecond)
    ->UseManualTime();

}  // namespace
