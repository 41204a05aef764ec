// Peers that are no proper TLS server, other protocols and versions, and ends of the stream.
#include <algorithm>
#include <gtest/gtest.h>

#include "test_tls_world.h"
#include "transport/tls_engine.h"

namespace sotto::test {
namespace {

using State = TlsEngine::State;
using Kind = TlsFailure::Kind;

class TlsFaults : public TlsVersions {};
INSTANTIATE_TEST_SUITE_P(All, TlsFaults, testing::Values(tls12_priority, tls13_priority));

TEST_P(TlsFaults, Alpn) {
  for (const char* selected : {"dot", "", "h2"}) {  // GnuTLS selects nothing where nothing fits
    TestServer server({&world().leaf}, {.priority = GetParam(), .alpn = selected});
    const auto client = make_client(tickets_);
    run_handshake(*client, server);
    EXPECT_EQ(client->state(), State::ready) << selected << ": " << client->failure().reason;
  }
}

TEST(TlsFaultsOnce, AnotherProtocolSelectedIsRefused) {
  // No server that plays by the rules does this, so the answer is altered on its way.
  TlsTicketStore tickets;
  TestServer server({&world().leaf}, {.priority = tls12_priority});
  const auto client = make_client(tickets);
  client->handshake();
  server.receive(take_output(*client));
  server.handshake();
  Octets hello = server.take_output();
  const Octets selected = {3, 'd', 'o', 't'};
  const auto found = std::ranges::search(hello, selected);
  ASSERT_FALSE(found.empty());
  found[3] = 'x';
  deliver(*client, hello);
  EXPECT_EQ(client->handshake(), State::failed);
  EXPECT_EQ(client->failure().kind, Kind::authentication);
  EXPECT_NE(client->failure().reason.find("ALPN"), std::string::npos) << client->failure().reason;
}

TEST(TlsFaultsOnce, OldVersionsAreRefused) {
  for (const char* priority : {"NORMAL:-VERS-ALL:+VERS-TLS1.0", "NORMAL:-VERS-ALL:+VERS-TLS1.1"}) {
    TlsTicketStore tickets;
    TestServer server({&world().leaf}, {.priority = priority});
    const auto client = make_client(tickets);
    run_handshake(*client, server);
    EXPECT_EQ(client->state(), State::failed);
    EXPECT_EQ(client->failure().kind, Kind::protocol);
    EXPECT_NE(client->failure().reason.find("none of our TLS versions (1.2, 1.3)"),
              std::string::npos)
        << client->failure().reason;
  }
}

struct Stranger {
  const char* reason;
  Octets says;
  const char* complaint;
};

TEST(TlsFaultsOnce, StrangersOnTheWire) {
  const Stranger strangers[] = {
      {"HTTP on port 853", octets_of("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n"),
       "does not speak TLS (it began with \"HTTP/1.1 302 Found\\x0d\\x0aLoca...\")"},
      {"a DNS answer in plaintext",
       {0, 12, 0x12, 0x34, 0x81, 0x80},
       "does not speak TLS (it began with \"\\x00\\x0c\\x124\\x81\\x80\")"},
      {"an alert: handshake_failure",
       {21, 3, 3, 0, 2, 2, 40},
       "none of our TLS versions (1.2, 1.3), ciphers or groups (alert"},
      {"an alert: protocol_version", {21, 3, 1, 0, 2, 2, 70}, "neither TLS 1.2 nor TLS 1.3"},
      {"an alert: no_application_protocol", {21, 3, 3, 0, 2, 2, 120}, "by ALPN"},
      {"an alert: unrecognized_name", {21, 3, 3, 0, 2, 2, 112}, "does not serve the name"},
      {"an alert nobody knows", {21, 3, 3, 0, 2, 2, 200}, "alert 200"},
      {"a handshake message that is none", {22, 3, 3, 0, 4, 9, 0, 0, 0}, "handshake failed"},
      {"a record that is too long", {22, 3, 3, 0xFF, 0xFF, 2, 0, 0}, "handshake failed"},
      {"an old record version", {22, 9, 9, 0, 4, 2, 0, 0, 0}, ""},
  };
  for (const Stranger& stranger : strangers) {
    SCOPED_TRACE(stranger.reason);
    TlsTicketStore tickets;
    const auto client = make_client(tickets);
    client->handshake();
    deliver(*client, stranger.says);
    client->handshake();
    client->input_ended();
    EXPECT_EQ(client->handshake(), State::failed);
    EXPECT_EQ(client->failure().kind, Kind::protocol);
    EXPECT_NE(client->failure().reason.find(stranger.complaint), std::string::npos)
        << client->failure().reason;
    std::uint8_t buffer[16];
    EXPECT_EQ(client->read(buffer), 0U);
  }
}

TEST_P(TlsFaults, EndOfStreamDuringTheHandshake) {
  for (const std::size_t octets : {0U, 1U, 50U, 300U}) {
    TestServer server({&world().leaf}, options());
    const auto client = make_client(tickets_);
    client->handshake();
    server.receive(take_output(*client));
    server.handshake();
    const Octets wire = server.take_output();
    deliver(*client, std::span(wire).first(octets));
    client->handshake();
    client->input_ended();
    EXPECT_EQ(client->handshake(), State::failed);
    EXPECT_EQ(client->failure().reason, "the peer closed the connection during the TLS handshake");
  }
}

TEST_P(TlsFaults, EndsOfTheStream) {
  for (const bool notify : {true, false}) {
    TestServer server({&world().leaf}, options());
    const auto client = make_client(tickets_);
    run_handshake(*client, server);
    server.write(octets_of("last"));
    if (notify) gnutls_bye(server.session(), GNUTLS_SHUT_WR);
    deliver(*client, server.take_output());
    client->input_ended();
    EXPECT_EQ(read_all(*client), octets_of("last")) << "data before the end is not lost";
    EXPECT_EQ(client->state(), State::closed);
    EXPECT_EQ(client->failure().kind, Kind::none);
  }
}

TEST_P(TlsFaults, ARecordCutByTheEndYieldsNothing) {
  TestServer server({&world().leaf}, options());
  const auto client = make_client(tickets_);
  run_handshake(*client, server);
  read_all(*client);
  server.write(octets_of("last"));
  Octets wire = server.take_output();
  wire.pop_back();
  deliver(*client, wire);
  client->input_ended();
  EXPECT_EQ(read_all(*client), Octets{});
  EXPECT_EQ(client->state(), State::closed);
}

TEST_P(TlsFaults, CloseNotifyAndAnswersToAClosedPeer) {
  TestServer server({&world().leaf}, options());
  const auto client = make_client(tickets_);
  run_handshake(*client, server);
  gnutls_bye(server.session(), GNUTLS_SHUT_WR);
  deliver(*client, server.take_output());
  EXPECT_EQ(read_all(*client), Octets{});
  ASSERT_EQ(client->state(), State::closed);
  client->write(octets_of("still"));
  client->close();
  client->close();
  const Octets wire = take_output(*client);
  client->write(octets_of("nothing leaves after close()"));
  EXPECT_TRUE(client->output().empty());
  server.receive(wire);
  EXPECT_EQ(server.read(), octets_of("still"));
}

TEST_P(TlsFaults, AnAlteredRecordFails) {
  TestServer server({&world().leaf}, options());
  const auto client = make_client(tickets_);
  run_handshake(*client, server);
  read_all(*client);
  server.write(octets_of("answer"));
  Octets wire = server.take_output();
  wire.back() ^= 1U;
  deliver(*client, wire);
  EXPECT_EQ(read_all(*client), Octets{});
  EXPECT_EQ(client->state(), State::failed);
  EXPECT_EQ(client->failure().kind, Kind::protocol);
  EXPECT_NE(client->failure().reason.find("integrity"), std::string::npos)
      << client->failure().reason;
  take_output(*client);  // the alert
  client->write(octets_of("secret"));
  EXPECT_TRUE(client->output().empty());
}

TEST(TlsFaultsOnce, RenegotiationIsRefused) {
  TlsTicketStore tickets;
  TestServer server({&world().leaf}, {.priority = tls12_priority});
  const auto client = make_client(tickets);
  run_handshake(*client, server);
  ASSERT_EQ(client->state(), State::ready);
  gnutls_rehandshake(server.session());
  deliver(*client, server.take_output());
  read_all(*client);
  EXPECT_EQ(client->state(), State::failed);
  EXPECT_EQ(client->failure().reason, "the peer asked for renegotiation, which is not done");
}

// Padding stands for all that is no data: messages of the handshake that do not end are counted the
// same. Data in between starts the count again.
TEST(TlsFaultsOnce, RecordsWithoutDataAreBounded) {
  TlsTicketStore tickets;
  TestServer server({&world().leaf}, {.priority = tls13_priority});
  const auto client = make_client(tickets);
  run_handshake(*client, server);
  constexpr std::size_t padding = 16'000;
  const auto pad = [&](int records) {
    for (int i = 0; i < records; ++i) gnutls_record_send2(server.session(), "", 0, padding, 0);
    deliver(*client, server.take_output());
    read_all(*client);
  };
  for (int turn = 0; turn < 3; ++turn) {
    pad(3);
    server.write(octets_of("answer"));
    deliver(*client, server.take_output());
    ASSERT_EQ(read_all(*client), octets_of("answer")) << client->failure().reason;
  }
  pad(4);
  EXPECT_EQ(client->state(), State::ready);
  pad(1);
  EXPECT_EQ(client->state(), State::failed);
  EXPECT_EQ(client->failure().kind, Kind::protocol);
  EXPECT_EQ(client->failure().reason, "the peer sends too much that is no data");
}

}  // namespace
}  // namespace sotto::test
