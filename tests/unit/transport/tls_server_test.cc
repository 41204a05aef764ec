// The server's side of a handshake: tickets across reloads and fleets, application protocols, and
// every cut of what a client sends.
#include <algorithm>
#include <gtest/gtest.h>

#include "test_tls_world.h"
#include "transport/tls_engine.h"

namespace sotto::test {
namespace {

using State = TlsEngine::State;

TlsServerSettings settings_with(std::shared_ptr<const TlsTicketKey> key) {
  const std::vector<CertificatePair> pairs = {{world().leaf_file, world().key_file}};
  return {.credentials = TlsServerCredentials::load(pairs, std::move(key)).value(),
          .client_trust = nullptr,
          .client_certificate_required = true};
}

class TlsServer : public testing::TestWithParam<const char*> {
 protected:
  // Leaves the session for the next client.
  bool resumes(const TlsServerSettings& settings, const Cut& cut = whole) {
    TestClient client({.priority = GetParam(), .session = session_});
    const auto server = TlsEngine::server(settings, {"dot"});
    run_handshake(client, *server, cut);
    EXPECT_EQ(server->state(), State::ready) << server->failure().reason;
    EXPECT_EQ(server->resumed(), client.resumed());
    session_ = client.session_data();
    return server->resumed();
  }

  Octets session_;
};
INSTANTIATE_TEST_SUITE_P(All, TlsServer, testing::Values(tls12_priority, tls13_priority));

TEST_P(TlsServer, ANewCertificateKeepsSessionsAnotherTicketKeyDoesNot) {
  const auto key = TlsTicketKey::random();
  EXPECT_FALSE(resumes(settings_with(key)));
  EXPECT_TRUE(resumes(settings_with(key))) << "loaded again";
  EXPECT_TRUE(resumes(settings_with(std::make_shared<const TlsTicketKey>(key->octets()))))
      << "another of the fleet";
  const auto replaced = TlsTicketKey::random();
  EXPECT_FALSE(resumes(settings_with(replaced)));
  EXPECT_TRUE(resumes(settings_with(replaced))) << "one full handshake each";
}

TEST_P(TlsServer, HoweverTheOctetsAreCut) {
  const TlsServerSettings settings = server_settings();
  EXPECT_FALSE(resumes(settings, single));
  EXPECT_TRUE(resumes(settings, single));
  // Each two parts of the client's first flight.
  for (std::size_t first = 1;; ++first) {
    TestClient client({.priority = GetParam(), .session = session_});
    client.handshake();
    const Octets hello = client.take_output();
    if (first >= hello.size()) break;
    const auto server = TlsEngine::server(settings, {"dot"});
    deliver(*server, std::span(hello).first(first));
    ASSERT_EQ(server->handshake(), State::handshaking);
    EXPECT_TRUE(server->output().empty());
    deliver(*server, std::span(hello).subspan(first));
    ASSERT_EQ(server->handshake(), State::handshaking) << first;
    EXPECT_FALSE(server->output().empty());
  }
}

// A hello in any number of records that come at once (RFC 8446 §5.1) needs no more octets.
TEST_P(TlsServer, HoweverTheHelloIsSpreadOverRecords) {
  constexpr std::size_t header = 5;
  for (const std::size_t part : {1U, 2U, 3U, 50U, 500U}) {
    TestClient client({.priority = GetParam()});
    client.handshake();
    const Octets hello = client.take_output();
    Octets spread;
    for (std::size_t at = header; at < hello.size(); at += part) {
      const std::size_t count = std::min(part, hello.size() - at);
      spread.insert(spread.end(),
                    {hello[0], hello[1], hello[2], static_cast<std::uint8_t>(count >> 8U),
                     static_cast<std::uint8_t>(count & 0xFFU)});
      spread.insert(spread.end(), &hello[at], &hello[at] + count);
    }
    const auto server = TlsEngine::server(server_settings(), {"dot"});
    deliver(*server, spread);
    EXPECT_EQ(server->handshake(), State::handshaking) << server->failure().reason;
    EXPECT_FALSE(server->output().empty()) << part;
  }
}

TEST_P(TlsServer, ChoosesTheApplicationProtocol) {
  struct Case {
    const char* offered;
    const char* selected;
    State state;
  };
  const Case cases[] = {{"dot", "dot", State::ready},
                        {"h2", "h2", State::ready},
                        {"", "", State::ready},
                        {"smtp", "", State::failed}};
  for (const Case& row : cases) {
    TestClient client({.priority = GetParam(), .alpn = row.offered});
    const auto server = TlsEngine::server(server_settings(), {"h2", "dot"});
    run_handshake(client, *server);
    EXPECT_EQ(server->state(), row.state) << row.offered;
    if (row.state == State::ready) {
      EXPECT_EQ(server->alpn(), row.selected);
    } else {
      EXPECT_EQ(server->failure().reason,
                "the client offers no application protocol (ALPN) that is served here");
      EXPECT_EQ(client.alert(), "No supported application protocol could be negotiated");
    }
  }
}

// Clients of OpenSSL and GnuTLS prefer what costs the server more.
TEST_P(TlsServer, PrefersWhatCostsLeast) {
  const std::string priority = std::string(GetParam()) +
                               ":-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM"
                               ":-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519";
  for (const Cut& cut : {Cut(whole), Cut(single)}) {
    // Without a key for X25519 there is a second hello.
    for (const unsigned flags : {0U, unsigned{GNUTLS_KEY_SHARE_TOP}}) {
      TestClient client({.priority = priority.c_str(), .flags = flags});
      const auto server = TlsEngine::server(server_settings(), {"dot"});
      run_handshake(client, *server, cut);
      ASSERT_EQ(server->state(), State::ready) << server->failure().reason;
      EXPECT_TRUE(server->description().ends_with(" ECDHE-X25519 AES-128-GCM"))
          << server->description();
    }
  }
}

// A client hello that says to be 16 MB long, and does not end.
TEST_P(TlsServer, AnEndlessHelloIsNotKept) {
  const auto server = TlsEngine::server(server_settings(), {"dot"});
  Octets record = {22, 3, 1, 0x10, 0x00, 1, 0xFF, 0xFF, 0xFF, 3, 3};
  std::size_t taken = 0;
  while (server->handshake() == State::handshaking && taken < 1'000'000) {
    record.resize(5 + 0x1000);
    deliver(*server, record);
    taken += record.size();
    record = {22, 3, 1, 0x10, 0x00};
  }
  EXPECT_EQ(server->state(), State::failed);
  EXPECT_EQ(server->failure().reason, "the handshake of the peer is too long");
  EXPECT_LE(taken, 40'000U);
}

TEST(TlsServerTickets, ThoseOfTls13AreTwoAndThenOneForEachUsed) {
  const TlsServerSettings settings = server_settings();
  TlsTicketStore tickets;
  for (const std::size_t expected : {2U, 2U, 2U}) {
    const auto client = make_client(tickets);
    const auto server = TlsEngine::server(settings, {"dot"});
    run_handshake(*client, *server);
    read_all(*client);
    EXPECT_EQ(tickets.size(), expected);
  }
}

}  // namespace
}  // namespace sotto::test
