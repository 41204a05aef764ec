// What a connection makes of its octets: the layers on each other, cuts, limits, ends.
#include "frontend/stream_connection.h"

#include <gtest/gtest.h>
#include <random>

#include "test_dot_client.h"

namespace sotto::test {
namespace {

using Phase = StreamConnection::Phase;

const std::vector<Octets> three = {octets_of("one"), octets_of("second"), octets_of("3")};

void ask(DotPair& pair, const std::vector<Octets>& queries) {
  Octets stream;
  for (const Octets& query : queries) {
    const Octets more = framed(query);
    stream.insert(stream.end(), more.begin(), more.end());
  }
  pair.client->write(stream);
}

// A connection, three queries, their responses in another order: whatever the cuts.
void exchange(DotPair& pair, const Cut& cut_at) {
  pair.connect(cut_at);
  ASSERT_EQ(pair.connection.phase(), Phase::open) << pair.connection.failure().reason;
  ask(pair, three);
  pair.settle(cut_at);
  ASSERT_EQ(pair.queries, three);
  EXPECT_EQ(pair.connection.waiting(), 3U);
  pair.connection.respond(0, octets_of("to 3"));
  pair.connection.respond(0, octets_of("to one"));
  pair.connection.respond(0, octets_of("to second"));
  EXPECT_EQ(pair.connection.waiting(), 0U);
  pair.settle(cut_at);
  EXPECT_EQ(cut(pair.received),
            (std::vector<Octets>{octets_of("to 3"), octets_of("to one"), octets_of("to second")}));
  EXPECT_EQ(pair.connection.unsent(), 0U);
  EXPECT_FALSE(pair.connection.done());
}

TEST(StreamConnection, EachResponseIsARecord) {
  DotPair pair;
  pair.connect();
  ask(pair, three);
  pair.settle();
  for (const char* text : {"to one", "to second", "to 3"}) {
    pair.connection.respond(0, octets_of(text));
  }
  pair.connection.produce(pair.plaintext);
  constexpr std::size_t overhead = 5 + 1 + 16 + 2;  // of the record, and the message's length
  EXPECT_EQ(record_octets(pair.connection.output()),
            (std::vector<std::size_t>{overhead + 6, overhead + 9, overhead + 4}));
}

TEST(StreamConnection, OneOctetAtATime) {
  DotPair pair;
  exchange(pair, single);
}

// Every place of the client's octets is the end of a piece once.
TEST(StreamConnection, EveryCut) {
  std::size_t total = 0;
  {
    DotPair pair;
    exchange(pair, [&total](std::size_t waiting) { return total += waiting, waiting; });
  }
  ASSERT_GT(total, 300U);
  for (std::size_t position = 1; position < total; ++position) {
    SCOPED_TRACE(position);
    DotPair pair;
    exchange(pair, [delivered = std::size_t{0}, position](std::size_t waiting) mutable {
      const bool inside = delivered < position && position < delivered + waiting;
      const std::size_t count = inside ? position - delivered : waiting;
      delivered += count;
      return count;
    });
    if (testing::Test::HasFailure()) return;
  }
}

TEST(StreamConnection, SpeaksWithoutTlsAsWell) {
  const StreamListenerSpec spec{.transport = StreamTransport::tcp};
  const StreamTls tls;
  StreamConnection connection(spec, tls, false);
  EXPECT_EQ(connection.phase(), Phase::open);
  connection.receive(octets_of(std::string_view("\0\3abc\0\1d", 8)), {});
  EXPECT_EQ(connection.next()->message.size(), 3U);
  EXPECT_EQ(connection.next()->message.size(), 1U);
  EXPECT_FALSE(connection.next());
  connection.respond(0, octets_of("abc"));
  connection.drop(0);
  EXPECT_EQ(connection.waiting(), 0U);
  OctetQueue scratch;
  connection.produce(scratch);
  const auto output = connection.output();
  EXPECT_EQ(Octets(output.begin(), output.end()), framed(octets_of("abc")));
  EXPECT_EQ(connection.unsent(), 5U);
  connection.sent(5);
  connection.end_input();
  EXPECT_TRUE(connection.done());
}

TEST(StreamConnection, TakesAClientWithoutAlpnOrTickets) {
  DotPair pair;
  pair.client = TlsEngine::client(world().trust, world().peer, pair.tickets, "dot");
  exchange(pair, whole);
  EXPECT_FALSE(pair.connection.resumed());
  EXPECT_EQ(pair.connection.identity(), "");
}

TEST(StreamConnection, AHelloThatIsNotWholeCostsNoEngine) {
  DotPair pair;
  const auto credentials = std::exchange(pair.tls.credentials, nullptr);  // no engine without it
  pair.client->handshake();
  const Octets hello = take_output(*pair.client);
  pair.feed(Octets(hello.begin(), hello.end() - 1), single);
  EXPECT_EQ(pair.connection.phase(), Phase::handshake);
  EXPECT_TRUE(pair.connection.reads());
  pair.tls.credentials = credentials;
  pair.feed({hello.back()});
  exchange(pair, whole);
}

// Cross-protocol attacks begin with a client that means to speak something else (RFC 7301 §3.2).
TEST(StreamConnection, ADotListenerSpeaksNothingElse) {
  DotPair pair;
  pair.client = make_client(pair.tickets, "h2");
  pair.connect();
  EXPECT_EQ(pair.connection.phase(), Phase::failed);
  EXPECT_EQ(to_text(pair.connection.failure().cause), to_text(StreamFailure::handshake));
  EXPECT_NE(pair.connection.failure().reason.find("ALPN"), std::string::npos)
      << pair.connection.failure().reason;
}

TEST(StreamConnection, AClientOfHttp1IsToldInWords) {
  DohCounters counters;
  DotPair pair({.transport = StreamTransport::https, .path = "/dns-query", .doh = &counters});
  pair.client = make_client(pair.tickets, "http/1.1");
  pair.connect();
  pair.client->write(octets_of("GET /dns-query HTTP/1.1\r\nhost: dns.example\r\n\r\n"));
  pair.settle();
  const Octets expected = octets_of("HTTP/1.1 505 ");
  ASSERT_GT(pair.received.size(), expected.size());
  EXPECT_TRUE(std::ranges::equal(expected, std::span(pair.received).first(expected.size())));
  EXPECT_TRUE(pair.connection.done());
}

TEST(StreamConnection, ResumesWithATicket) {
  DotPair first;
  exchange(first, whole);
  ASSERT_GT(first.tickets.size(), 0U);
  DotPair second;
  second.tls = first.tls;
  second.client = make_client(first.tickets);
  exchange(second, whole);
  EXPECT_TRUE(second.connection.resumed());
}

TEST(StreamConnection, TheProxysHeaderComesBeforeTls) {
  const Octets header = octets_of("PROXY TCP6 2001:db8::7 2001:db8::1 4711 853\r\n");
  for (const Cut& cut_at : {Cut(whole), Cut(single)}) {
    DotPair pair({.transport = StreamTransport::tls}, true);
    EXPECT_EQ(pair.connection.phase(), Phase::proxy_header);
    pair.feed(header, cut_at);
    EXPECT_EQ(pair.connection.phase(), Phase::handshake);
    exchange(pair, cut_at);
    EXPECT_EQ(pair.connection.proxied_client()->text(), "[2001:db8::7]:4711");
  }
}

TEST(StreamConnection, HeaderAndHelloMayComeTogether) {
  DotPair pair({.transport = StreamTransport::tls}, true);
  pair.client->handshake();
  Octets wire = octets_of("PROXY UNKNOWN\r\n");
  const Octets hello = take_output(*pair.client);
  wire.insert(wire.end(), hello.begin(), hello.end());
  pair.feed(wire);
  exchange(pair, whole);
  EXPECT_FALSE(pair.connection.proxied_client());
}

// --- limits -------------------------------------------------------------------------------------

TEST(StreamConnection, TakesNoMoreQueriesThanMayWait) {
  DotPair pair;
  pair.connect();
  const std::vector<Octets> some(queries_per_connection_max / 8, octets_of("query"));
  for (int round = 0; round < 9; ++round) {
    ask(pair, some);
    pair.to_connection();
  }
  EXPECT_EQ(pair.queries.size(), queries_per_connection_max);
  EXPECT_EQ(pair.connection.waiting(), queries_per_connection_max);
  EXPECT_FALSE(pair.connection.reads());
  EXPECT_FALSE(pair.connection.resumable());
  pair.connection.respond(0, octets_of("r"));
  EXPECT_TRUE(pair.connection.reads());
  EXPECT_TRUE(pair.connection.resumable());
  pair.take_queries();
  EXPECT_EQ(pair.queries.size(), queries_per_connection_max + 1);
}

TEST(StreamConnection, PausesForAClientThatDoesNotRead) {
  DotPair pair;
  pair.connect();
  const Octets large(60'000, 1);
  for (std::size_t count = 0; count < 140; ++count) {
    EXPECT_EQ(pair.connection.reads(), pair.connection.unsent() < unsent_octets_pause);
    // The client asks, but takes nothing: neither must what it is owed grow without end.
    ask(pair, {octets_of("query")});
    if (pair.connection.reads()) pair.to_connection();
    if (pair.connection.waiting() > 0) pair.connection.respond(0, large);
    pair.connection.produce(pair.plaintext);
    ASSERT_FALSE(pair.connection.too_much_unsent());
  }
  EXPECT_EQ(pair.queries.size(), 5U);
  EXPECT_GE(pair.connection.unsent(), unsent_octets_pause);
  pair.to_client();
  pair.settle();
  EXPECT_TRUE(pair.connection.reads());
  EXPECT_EQ(cut(pair.received).size(), 5U);
}

TEST(StreamConnection, AnswersWhatAHalfClosedClientAsked) {
  DotPair pair;
  pair.connect();
  ask(pair, three);
  pair.client->close();
  pair.settle();
  EXPECT_FALSE(pair.connection.reads());
  EXPECT_FALSE(pair.connection.done()) << "three are waiting";
  for (const Octets& query : pair.queries) pair.connection.respond(0, query);
  EXPECT_FALSE(pair.connection.done()) << "not sent yet";
  pair.to_client();
  EXPECT_TRUE(pair.connection.done());
  EXPECT_EQ(cut(pair.received), three);
}

TEST(StreamConnection, AnEndWithoutGoodbyeIsAHalfCloseToo) {
  DotPair pair;
  pair.connect();
  ask(pair, three);
  pair.settle();
  pair.connection.end_input();
  pair.connection.end_input();
  for (const Octets& query : pair.queries) pair.connection.respond(0, query);
  pair.to_client();
  EXPECT_TRUE(pair.connection.done());
  EXPECT_EQ(cut(pair.received), three);
}

TEST(StreamConnection, SaysGoodbye) {
  DotPair pair;
  pair.connect();
  EXPECT_EQ(pair.client->state(), TlsEngine::State::ready);
  pair.connection.say_goodbye();
  EXPECT_FALSE(pair.connection.output().empty());
  pair.to_client();
  EXPECT_EQ(pair.client->state(), TlsEngine::State::closed);
}

TEST(StreamConnection, StoppedItAnswersAndTakesNoMore) {
  DotPair pair;
  pair.connect();
  ask(pair, three);
  pair.settle();
  pair.connection.stop();
  ask(pair, three);
  pair.settle();
  EXPECT_EQ(pair.queries, three);
  EXPECT_FALSE(pair.connection.done());
  for (const Octets& query : pair.queries) pair.connection.respond(0, query);
  pair.to_client();
  EXPECT_TRUE(pair.connection.done());
  EXPECT_EQ(cut(pair.received), three);
}

TEST(StreamConnection, StoppedBeforeItsHandshakeItIsDone) {
  DotPair pair;
  pair.connection.stop();
  EXPECT_TRUE(pair.connection.done());
}

}  // namespace
}  // namespace sotto::test
