// Why connections cannot be used, told apart.
#include <gtest/gtest.h>

#include "test_dot_client.h"

namespace sotto::test {
namespace {

using Phase = StreamConnection::Phase;

void expect_failed(const DotPair& pair, StreamFailure cause) {
  ASSERT_EQ(pair.connection.phase(), Phase::failed);
  EXPECT_EQ(to_text(pair.connection.failure().cause), to_text(cause));
  EXPECT_NE(pair.connection.failure().reason, "");
  EXPECT_FALSE(pair.connection.reads());
  EXPECT_TRUE(pair.connection.done());
}

TEST(StreamFailures, WhatIsNotTlsIsToldByItsFirstOctet) {
  for (const Octets& input : {framed(octets_of("a query in plaintext")),
                              octets_of("GET / HTTP/1.1"), octets_of("SSH-2.0"), Octets(1, 0xFF)}) {
    DotPair pair;
    pair.feed(input);
    expect_failed(pair, StreamFailure::not_tls);
    EXPECT_TRUE(pair.connection.output().empty());
  }
}

TEST(StreamFailures, AHeaderFromAStranger) {
  for (const auto transport : {StreamTransport::tcp, StreamTransport::tls}) {
    DotPair pair({.transport = transport});
    pair.feed(octets_of("PROXY TCP4 192.0.2.7 192.0.2.1 4711 853\r\n"), single);
    expect_failed(pair, StreamFailure::proxy_header);
    EXPECT_TRUE(pair.queries.empty());
  }
}

TEST(StreamFailures, AProxyWithoutItsHeader) {
  DotPair pair({.transport = StreamTransport::tls}, true);
  pair.client->handshake();
  pair.to_connection();
  expect_failed(pair, StreamFailure::proxy_header);
}

TEST(StreamFailures, AClientThatLeavesInTheHandshake) {
  DotPair before;
  before.connection.end_input();
  expect_failed(before, StreamFailure::left);
  DotPair within;
  within.client->handshake();
  within.to_connection();
  EXPECT_EQ(within.connection.phase(), Phase::handshake);
  within.connection.end_input();
  expect_failed(within, StreamFailure::left);
  DotPair header({.transport = StreamTransport::tcp}, true);
  header.connection.end_input();
  expect_failed(header, StreamFailure::left);
}

TEST(StreamFailures, GarbageThatBeginsLikeAHandshake) {
  DotPair pair;
  Octets garbage(300, 0xAA);
  garbage[0] = 0x16;
  pair.feed(garbage);
  expect_failed(pair, StreamFailure::handshake);
  pair.feed(garbage);  // what comes after that is of no account
  expect_failed(pair, StreamFailure::handshake);
}

TEST(StreamFailures, AClientThatDoesNotTrustUs) {
  DotPair pair;
  TlsPeerIdentity other = world().peer;
  other.auth_name = "other.example";
  pair.client = TlsEngine::client(world().trust, other, pair.tickets, "dot");
  pair.connect();
  EXPECT_EQ(pair.client->state(), TlsEngine::State::failed);
  // In TLS 1.3 the client's alert comes behind its end of the handshake or instead of it.
  ASSERT_EQ(pair.connection.phase(), Phase::failed);
  EXPECT_NE(pair.connection.failure().reason.find("Certificate is bad"), std::string::npos)
      << pair.connection.failure().reason;
}

TEST(StreamFailures, ABrokenRecordAfterTheHandshake) {
  DotPair pair;
  pair.connect();
  pair.client->write(framed(octets_of("query")));
  pair.client->write(framed(octets_of("next")));
  Octets wire = take_output(*pair.client);
  wire.back() ^= 1U;
  pair.feed(wire);
  EXPECT_EQ(pair.queries.size(), 0U) << "nothing is asked for a connection that is to be closed";
  expect_failed(pair, StreamFailure::record);
  EXPECT_FALSE(pair.connection.output().empty()) << "an alert";
}

TEST(StreamFailures, QueriesInPlaintextBehindTheHandshake) {
  DotPair pair;
  pair.connect();
  pair.feed(framed(octets_of("a query in plaintext")));
  expect_failed(pair, StreamFailure::record);
}

// What GnuTLS does with a client of TLS 1.2 that begins anew: refused (RFC 9325 §3.5).
TEST(StreamFailures, AHandshakeAnew) {
  const StreamListenerSpec spec{.transport = StreamTransport::tls};
  const StreamTls tls{server_settings().credentials, {}};
  StreamConnection connection(spec, tls, false);
  gnutls_session_t client = nullptr;
  gnutls_certificate_credentials_t credentials = nullptr;
  gnutls_certificate_allocate_credentials(&credentials);
  gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
  gnutls_priority_set_direct(client, tls12_priority, nullptr);
  gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, credentials);
  struct Wire {
    StreamConnection& connection;
    gnutls_session_t client;
    std::vector<std::uint8_t> scratch = std::vector<std::uint8_t>(16'384);
  } wire{connection, client};
  gnutls_transport_set_ptr(client, &wire);
  gnutls_transport_set_push_function(
      client, [](gnutls_transport_ptr_t pointer, const void* octets, std::size_t size) {
        auto& at = *static_cast<Wire*>(pointer);
        at.connection.receive({static_cast<const std::uint8_t*>(octets), size}, at.scratch);
        return static_cast<ssize_t>(size);
      });
  gnutls_transport_set_pull_function(
      client, [](gnutls_transport_ptr_t pointer, void* buffer, std::size_t size) {
        auto& at = *static_cast<Wire*>(pointer);
        const auto output = at.connection.output();
        if (output.empty()) {
          gnutls_transport_set_errno(at.client, EAGAIN);
          return ssize_t{-1};
        }
        const std::size_t count = std::min(size, output.size());
        std::copy_n(output.begin(), count, static_cast<std::uint8_t*>(buffer));
        at.connection.sent(count);
        return static_cast<ssize_t>(count);
      });
  ASSERT_EQ(gnutls_handshake(client), GNUTLS_E_SUCCESS);
  ASSERT_EQ(connection.phase(), Phase::open);
  EXPECT_LT(gnutls_handshake(client), 0);
  EXPECT_EQ(connection.phase(), Phase::failed);
  EXPECT_EQ(to_text(connection.failure().cause), to_text(StreamFailure::record));
  gnutls_deinit(client);
  gnutls_certificate_free_credentials(credentials);
}

}  // namespace
}  // namespace sotto::test
