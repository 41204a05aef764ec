// Session tickets: each is taken, each is used once, and a refused one costs nothing but time.
#include <gtest/gtest.h>
#include <initializer_list>

#include "base/clock.h"
#include "test_tls_world.h"
#include "transport/tls_engine.h"

namespace sotto::test {
namespace {

using State = TlsEngine::State;
using Kind = TlsFailure::Kind;

class TlsResumption : public TlsVersions {};
INSTANTIATE_TEST_SUITE_P(All, TlsResumption, testing::Values(tls12_priority, tls13_priority));

TEST_P(TlsResumption, ResumesOnceForEachTicket) {
  bool resumed = false;
  for (int round = 0; round < 4; ++round) {
    TestServer server({&world().leaf}, options());
    const auto client = make_client(tickets_);
    run_handshake(*client, server);
    ASSERT_EQ(client->state(), State::ready) << client->failure().reason;
    read_all(*client);
    EXPECT_EQ(client->resumed(), round > 0);
    EXPECT_EQ(server.resumed(), client->resumed());
    EXPECT_GT(tickets_.size(), 0U);
    EXPECT_LE(tickets_.size(), TlsTicketStore::tickets_per_peer_max);
    resumed = client->resumed();
  }
  EXPECT_TRUE(resumed);
}

TEST_P(TlsResumption, KnowsWhenTheCertificateExpires) {
  using std::chrono::hours;
  std::optional<std::chrono::system_clock::time_point> first;
  for (int round = 0; round < 2; ++round) {
    TestServer server({&world().leaf}, options());
    const auto client = make_client(tickets_);
    run_handshake(*client, server);
    read_all(*client);
    EXPECT_EQ(client->resumed(), round > 0);
    const auto expires = client->certificate_expires();
    ASSERT_TRUE(expires);
    if (!first) first = expires;
    EXPECT_EQ(expires, first) << "resumed: " << client->resumed();
  }
  EXPECT_GT(*first, wall_now() + hours{23});
  EXPECT_LT(*first, wall_now() + hours{25});
}

TEST(TlsResumptionOnce, TakesEveryTicketOfTls13) {
  const TicketKey key;
  TlsTicketStore tickets;
  TestServer server({&world().leaf}, {.tickets = &key});
  const auto client = make_client(tickets);
  run_handshake(*client, server);
  EXPECT_EQ(tickets.size(), 0U) << "tickets are taken in by read()";
  read_all(*client);
  const std::size_t sent_by_gnutls = tickets.size();
  EXPECT_GE(sent_by_gnutls, 1U);
  ASSERT_EQ(gnutls_session_ticket_send(server.session(), 1, 0), 0);
  server.write(octets_of("answer"));
  deliver(*client, server.take_output());
  EXPECT_EQ(read_all(*client), octets_of("answer"));
  EXPECT_EQ(tickets.size(), sent_by_gnutls + 1);
  EXPECT_NE(tickets.take(world().peer), tickets.take(world().peer)) << "each is another one";
}

TEST_P(TlsResumption, RefusedTicketLeadsToAFullHandshake) {
  const TicketKey changed;
  for (const TicketKey* key : std::initializer_list<const TicketKey*>{&key_, &changed, nullptr}) {
    TestServer server({&world().leaf}, {.priority = GetParam(), .tickets = key});
    const auto client = make_client(tickets_);
    run_handshake(*client, server);
    ASSERT_EQ(client->state(), State::ready) << client->failure().reason;
    EXPECT_FALSE(client->resumed());
    read_all(*client);
  }
}

TEST_P(TlsResumption, NoTicketIsStoredWhenNoneIsSent) {
  TestServer server({&world().leaf}, {.priority = GetParam(), .tickets = nullptr});
  const auto client = make_client(tickets_);
  run_handshake(*client, server);
  ASSERT_EQ(client->state(), State::ready);
  read_all(*client);
  EXPECT_EQ(tickets_.size(), 0U);
}

TEST_P(TlsResumption, UnusableTicketLeadsToAFullHandshake) {
  tickets_.put(world().peer, octets_of("this is no session"));
  tickets_.put(world().peer, {0, 0, 0, 0});  // what GnuTLS 3.7.9 hands out before a ticket came
  for (int round = 0; round < 2; ++round) {
    TestServer server({&world().leaf}, {.priority = GetParam()});
    const auto client = make_client(tickets_);
    run_handshake(*client, server);
    EXPECT_EQ(client->state(), State::ready) << client->failure().reason;
    EXPECT_FALSE(client->resumed());
  }
}

TEST_P(TlsResumption, AFailedResumptionIsNotTriedAgain) {
  {
    TestServer server({&world().leaf}, options());
    const auto client = make_client(tickets_);
    run_handshake(*client, server);
    read_all(*client);
  }
  tickets_.put(world().peer, tickets_.take(world().peer).value());
  const auto client = make_client(tickets_);
  client->handshake();
  client->input_ended();
  EXPECT_EQ(client->handshake(), State::failed);
  EXPECT_EQ(tickets_.size(), 0U);
}

}  // namespace
}  // namespace sotto::test
