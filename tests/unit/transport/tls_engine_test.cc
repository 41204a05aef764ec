// The engine against a plain GnuTLS server and against itself: cuts of the stream, large transfers,
// what is kept of an idle connection.
#include "transport/tls_engine.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

#include "test_tls_world.h"

namespace sotto::test {
namespace {

using State = TlsEngine::State;
using Kind = TlsFailure::Kind;

class TlsEngineData : public TlsVersions {};
INSTANTIATE_TEST_SUITE_P(All, TlsEngineData, testing::Values(tls12_priority, tls13_priority));

TEST_P(TlsEngineData, DataFlowsBothWays) {
  TestServer server({&world().leaf}, options());
  const auto client = make_client(tickets_);
  EXPECT_EQ(client->state(), State::handshaking);
  run_handshake(*client, server);
  ASSERT_EQ(client->state(), State::ready) << client->failure().reason;
  EXPECT_EQ(client->failure().kind, Kind::none);
  EXPECT_FALSE(client->resumed());

  client->write(octets_of("query"));
  server.receive(take_output(*client));
  EXPECT_EQ(server.read(), octets_of("query"));
  server.write(octets_of("answer"));
  deliver(*client, server.take_output());
  EXPECT_EQ(read_all(*client), octets_of("answer"));
  EXPECT_TRUE(client->output().empty());
  EXPECT_EQ(client->state(), State::ready);
}

TEST_P(TlsEngineData, DescribesItself) {
  TestServer server({&world().leaf}, options());
  const auto client = make_client(tickets_);
  run_handshake(*client, server);
  ASSERT_EQ(client->state(), State::ready);
  EXPECT_EQ(client->description(), GetParam() == tls13_priority
                                       ? "TLS1.3 ECDHE-X25519 AES-128-GCM"
                                       : "TLS1.2 ECDHE-X25519 AES-128-GCM");
}

// A short exchange, delivered in every way that is worth a try: the plaintext is always the same.
void exchange(const TestServerOptions& options, TlsTicketStore& tickets, const Cut& cut) {
  TestServer server({&world().leaf}, options);
  const auto client = make_client(tickets);
  run_handshake(*client, server, cut);
  ASSERT_EQ(client->state(), State::ready) << client->failure().reason;
  server.write(octets_of("first"));
  server.write(octets_of("second"));
  const Octets wire = server.take_output();
  Octets plaintext;
  for (std::size_t at = 0; at < wire.size();) {
    const std::size_t count = cut(wire.size() - at);
    deliver(*client, std::span(wire).subspan(at, count));
    const Octets more = read_all(*client);
    plaintext.insert(plaintext.end(), more.begin(), more.end());
    at += count;
  }
  EXPECT_EQ(plaintext, octets_of("firstsecond"));
  EXPECT_EQ(client->state(), State::ready);
}

TEST_P(TlsEngineData, OneOctetAtATime) {
  exchange(options(), tickets_, single);  // the full handshake
  ASSERT_GT(tickets_.size(), 0U);
  exchange(options(), tickets_, single);  // the resumed one
}

// The nth octet of all that is delivered is the last of its piece; everything else comes at once.
Cut cut_at(std::size_t position) {
  return [delivered = std::size_t{0}, position](std::size_t waiting) mutable {
    const bool inside = delivered < position && position < delivered + waiting;
    const std::size_t count = inside ? position - delivered : waiting;
    delivered += count;
    return count;
  };
}

// Every cut of the records behind the handshake, and every third of a full handshake; which ones
// differs from run to run, and handshakes differ as well.
TEST_P(TlsEngineData, EveryCut) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::size_t total = 0;
  exchange(options(), tickets_,
           [&total](std::size_t waiting) { return total += waiting, waiting; });
  constexpr std::size_t records = 2 * (5 + 8 + 16 + 1) + 11;  // "first" and "second", at most
  ASSERT_GT(total, 500U + records);
  // Signatures vary by an octet or two in length, so the end is overshot a little.
  for (std::size_t position = 1 + seed % 3; position < total + 8;
       position += position < total - records ? 3 : 1) {
    SCOPED_TRACE(position);
    tickets_.forget(world().peer);
    exchange(options(), tickets_, cut_at(position));
    if (HasFailure()) return;
  }
}

TEST_P(TlsEngineData, RandomCuts) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 100; ++round) {
    exchange(options(), tickets_, [&random](std::size_t waiting) {
      return std::uniform_int_distribution<std::size_t>(
          1, std::min<std::size_t>(waiting, 300))(random);
    });
  }
}

// A length octet, then so many more.
std::size_t counted_octets(std::span<const std::uint8_t> plaintext) {
  return 1U + plaintext.front();
}

TEST_P(TlsEngineData, RecordsEndWhereMessagesDo) {
  TestServer server({&world().leaf}, options());
  const auto client = make_client(tickets_);
  run_handshake(*client, server);
  ASSERT_EQ(client->state(), State::ready);
  const Octets three = {2, 7, 7, 0, 4, 7, 7, 7, 7};
  client->write(three, counted_octets);
  const Octets wire = take_output(*client);
  const std::size_t overhead = GetParam() == tls13_priority ? 5 + 1 + 16 : 5 + 8 + 16;
  EXPECT_EQ(record_octets(wire),
            (std::vector<std::size_t>{overhead + 3, overhead + 1, overhead + 5}));
  server.receive(wire);
  EXPECT_EQ(server.read(), three);

  // One message that is longer than a record, then a short one: cut is not asked in between.
  Octets more = numbered(20'000);
  more.push_back(9);
  client->write(more, [](std::span<const std::uint8_t> plaintext) {
    return std::min<std::size_t>(plaintext.size(), 20'000);
  });
  const Octets long_wire = take_output(*client);
  EXPECT_EQ(record_octets(long_wire),
            (std::vector<std::size_t>{overhead + 16'384, overhead + 3'616, overhead + 1}));
  server.receive(long_wire);
  EXPECT_EQ(server.read(), more);
}

TEST_P(TlsEngineData, LargeTransfersBothWays) {
  TestServer server({&world().leaf}, options());
  const auto client = make_client(tickets_);
  run_handshake(*client, server);
  ASSERT_EQ(client->state(), State::ready);
  const Octets sent = numbered(1 << 20);
  client->write(sent);
  const std::size_t ciphertext = client->output().size();
  EXPECT_LE(ciphertext, sent.size() + 64 * 32) << "64 full records";
  server.receive(take_output(*client));
  EXPECT_EQ(server.read(), sent);

  server.write(sent);
  const Octets wire = server.take_output();
  Octets plaintext;
  for (std::size_t at = 0; at < wire.size(); at += 50'000) {
    deliver(*client, std::span(wire).subspan(at, std::min<std::size_t>(50'000, wire.size() - at)));
    const Octets more = read_all(*client, 7'777);  // records do not fit
    plaintext.insert(plaintext.end(), more.begin(), more.end());
  }
  EXPECT_EQ(plaintext, sent);
}

TEST(TlsEngine, KeyUpdateOfTls13) {
  TlsTicketStore tickets;
  TestServer server({&world().leaf}, {});
  const auto client = make_client(tickets);
  run_handshake(*client, server);
  ASSERT_EQ(gnutls_session_key_update(server.session(), GNUTLS_KU_PEER), 0);
  server.write(octets_of("new key"));
  deliver(*client, server.take_output());
  EXPECT_EQ(read_all(*client), octets_of("new key"));
  client->write(octets_of("ours too"));
  server.receive(take_output(*client));
  EXPECT_EQ(server.read(), octets_of("ours too"));
}

TEST(TlsEngine, NoOctetOfPlaintextLeavesBeforeVerification) {
  TlsPeerIdentity other = world().peer;
  other.auth_name = "other.example";
  TlsTicketStore tickets;
  TestServer server({&world().leaf}, {});
  const auto client = TlsEngine::client(world().trust, other, tickets, "dot");
  run_handshake(*client, server);
  ASSERT_EQ(client->state(), State::failed);
  client->write(octets_of("secret"));
  client->close();
  EXPECT_TRUE(client->output().empty());
}

TEST(TlsEngine, ServerNameIndication) {
  struct Row {
    const char* name;
    std::string sent;
  };
  for (const Row& row : {Row{"dns.example", "dns.example"}, Row{"dns.example.", "dns.example"},
                         Row{"", ""}, Row{"192.0.2.1", ""}, Row{"2001:db8::1", ""}}) {
    TlsPeerIdentity peer = world().peer;
    peer.auth_name = row.name;
    TlsTicketStore tickets;
    TestServer server({&world().leaf}, {});
    const auto client = TlsEngine::client(world().trust, peer, tickets, "dot");
    run_handshake(*client, server);
    char name[256] = {};
    std::size_t size = sizeof name;
    unsigned type = 0;
    const int error = gnutls_server_name_get(server.session(), name, &size, &type, 0);
    EXPECT_EQ(error >= 0 ? std::string(name, size) : "", row.sent) << row.name;
  }
}

TEST(TlsEngine, IdleConnectionsGiveBigBuffersBack) {
  const TlsServerSettings settings = server_settings();
  TlsTicketStore tickets;
  const auto client = make_client(tickets);
  const auto server = TlsEngine::server(settings, {"dot"});
  run_handshake(*client, *server);
  client->write(numbered(100'000));
  while (!client->output().empty()) {
    deliver(*server,
            client->output().first(std::min<std::size_t>(client->output().size(), 30'000)));
    client->sent(std::min<std::size_t>(client->output().size(), 30'000));
    read_all(*server);
  }
  // All that is kept is what a small request for room gets.
  EXPECT_LE(server->input_space(1).size(), OctetQueue::kept_octets_max);
}

TEST(TlsEngine, EngineAgainstEngine) {
  const TlsServerSettings settings = server_settings();
  TlsTicketStore tickets;
  for (int round = 0; round < 3; ++round) {
    const auto client = make_client(tickets);
    const auto server = TlsEngine::server(settings, {"h2", "dot"});
    run_handshake(*client, *server, single);
    ASSERT_EQ(client->state(), State::ready) << client->failure().reason;
    ASSERT_EQ(server->state(), State::ready) << server->failure().reason;
    EXPECT_EQ(client->resumed(), round > 0);
    EXPECT_EQ(server->description(), client->description());
    const Octets question = numbered(70'000);
    client->write(question);
    deliver(*server, take_output(*client));
    EXPECT_EQ(read_all(*server), question);
    server->write(octets_of("answer"));
    server->close();
    deliver(*client, take_output(*server));
    EXPECT_EQ(read_all(*client), octets_of("answer"));
    EXPECT_EQ(client->state(), State::closed);
  }
}

TEST(TlsEngine, AServerIsNotImpressedByPlaintext) {
  const auto server = TlsEngine::server(server_settings(), {"dot"});
  server->handshake();
  deliver(*server, octets_of("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(server->handshake(), State::failed);
  EXPECT_NE(server->failure().reason.find("does not speak TLS"), std::string::npos);
}

}  // namespace
}  // namespace sotto::test
