// DohStream as its driver uses it, against an nghttp2 client over memory.
#include "frontend/doh_stream.h"

#include <gtest/gtest.h>

#include "http2_client.h"

namespace sotto {
namespace {

using test::Http2Client;
using test::Octets;
using test::view_of;

// ID 0, question de A, and its answer with TTL 77.
const Octets query_message{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 'd', 'e', 0, 0, 1, 0, 1};
const Octets answer_message{0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0,  2, 'd', 'e', 0, 0, 1,
                            0, 1, 0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 77, 0, 4,   192, 0, 2, 1};
constexpr std::string_view get_path = "/dns-query?dns=AAABAAABAAAAAAAAAmRlAAABAAE";

struct World {
  World() : stream("/dns-query", counters, &room) {}

  void to_server() { stream.receive(client.output()); }
  void to_client() {
    OctetQueue out;
    stream.produce(out);
    client.receive(out.octets());
  }
  // What an HTTP/1 client gets.
  std::string produced() {
    OctetQueue out;
    stream.produce(out);
    return {out.octets().begin(), out.octets().end()};
  }

  static inline Http2FrameRoom room;  // of all, as of a worker's connections
  DohCounters counters;
  DohStream stream;
  Http2Client client;
};

TEST(DohStream, AnswersGetAndPost) {
  World world;
  const auto get = world.client.get(get_path);
  const auto post = world.client.post("/dns-query", query_message);
  world.to_server();
  for (const auto asked : {get, post}) {
    const auto query = world.stream.next();
    ASSERT_TRUE(query);
    EXPECT_EQ(query->stream, asked);
    EXPECT_EQ(Octets(query->message.begin(), query->message.end()), query_message);
    ASSERT_TRUE(world.stream.waits(asked));
    world.stream.respond(asked, answer_message);
    EXPECT_FALSE(world.stream.waits(asked));
  }
  EXPECT_FALSE(world.stream.next());
  EXPECT_GT(world.stream.held(), 2 * answer_message.size()) << "and their header fields";
  world.to_client();
  EXPECT_EQ(world.stream.held(), 0U);
  for (const auto asked : {get, post}) {
    const auto& response = world.client.response(asked);
    EXPECT_EQ(response.status(), "200");
    EXPECT_EQ(response.at("content-type"), "application/dns-message");
    EXPECT_EQ(response.at("content-length"), std::to_string(answer_message.size()));
    EXPECT_EQ(response.at("cache-control"), "max-age=77");
    EXPECT_EQ(response.body, answer_message);
  }
  EXPECT_EQ(world.counters.ok.value(), 2U);
}

TEST(DohStream, DoesNotLetFailuresBeKept) {
  World world;
  const auto asked = world.client.post("/dns-query", query_message);
  world.to_server();
  ASSERT_TRUE(world.stream.next());
  Octets servfail = query_message;
  servfail[2] = 0x81;
  servfail[3] = 0x82;
  world.stream.respond(asked, servfail);
  world.to_client();
  EXPECT_EQ(world.client.response(asked).status(), "200");
  EXPECT_EQ(world.client.response(asked).at("cache-control"), "no-store");
}

TEST(DohStream, SaysWhatIsWrongAndGoesOn) {
  World world;
  const auto lost = world.client.get("/");
  const auto put = world.client.get("/dns-query", "PUT");
  const auto good = world.client.get(get_path);
  world.to_server();
  const auto query = world.stream.next();
  ASSERT_TRUE(query);
  EXPECT_EQ(query->stream, good);
  world.stream.drop(good);
  world.to_client();
  EXPECT_EQ(world.client.response(lost).status(), "404");
  EXPECT_EQ(world.client.response(lost).text(), "DNS is not served at this path\n");
  EXPECT_EQ(world.client.response(lost).at("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(world.client.response(lost).at("allow"), "");
  EXPECT_EQ(world.client.response(put).status(), "405");
  EXPECT_EQ(world.client.response(put).at("allow"), "GET, HEAD, POST");
  EXPECT_EQ(world.client.response(good).status(), "400");
  EXPECT_EQ(world.client.response(good).text(), "this is not a DNS query\n");
  EXPECT_EQ(world.counters.refused.value(), 3U);
  EXPECT_FALSE(world.stream.ended());
}

TEST(DohStream, AnswersHeadWithTheFieldsOnly) {
  World world;
  const auto asked = world.client.get(get_path, "HEAD");
  world.to_server();
  ASSERT_TRUE(world.stream.next());
  world.stream.respond(asked, answer_message);
  world.to_client();
  EXPECT_EQ(world.client.response(asked).status(), "200");
  EXPECT_EQ(world.client.response(asked).at("content-length"), "36");
  EXPECT_TRUE(world.client.response(asked).body.empty());
  EXPECT_TRUE(world.client.response(asked).closed);
}

constexpr std::string_view http1_head =
    "HTTP/1.1 505 HTTP Version Not Supported\r\n"
    "content-type: text/plain; charset=utf-8\r\n"
    "content-length: 55\r\n"
    "connection: close\r\n\r\n";
constexpr std::string_view http1_words = "DNS is served over HTTP/2 here; HTTP/1.1 is not spoken\n";

TEST(DohStream, TellsAClientOfHttp1HoweverItsRequestIsCut) {
  const std::string_view request = "POST /dns-query HTTP/1.1\r\nHost: dns.test\r\n\r\n";
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    World world;
    world.stream.receive(view_of(request.substr(0, cut)));
    if (cut < request.size()) {
      EXPECT_FALSE(world.stream.ended()) << cut;
      EXPECT_EQ(world.produced(), "") << cut;
    }
    world.stream.receive(view_of(request.substr(cut)));
    EXPECT_TRUE(world.stream.ended()) << cut;
    EXPECT_EQ(world.stream.held(), http1_head.size() + http1_words.size());
    EXPECT_EQ(world.produced(), std::string(http1_head) + std::string(http1_words)) << cut;
    EXPECT_EQ(world.stream.held(), 0U);
    EXPECT_EQ(world.produced(), "") << cut;
    EXPECT_EQ(world.counters.http1.value(), 1U);
  }
}

TEST(DohStream, TellsAClientOfHttp1WithoutABodyIfItAsksForNone) {
  World world;
  world.stream.receive(view_of("HEAD / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(world.produced(), http1_head);
}

TEST(DohStream, DoesNotReadAnHttp1RequestForEver) {
  World world;
  world.stream.receive(view_of("GET / HTTP/1.1\r\n"));
  std::size_t octets = 0;
  for (; octets < 100'000 && !world.stream.ended(); octets += 100) {
    world.stream.receive(Octets(100, 'x'));
  }
  EXPECT_EQ(octets, 8'200U);
  EXPECT_TRUE(world.produced().starts_with("HTTP/1.1 505 "));
}

TEST(DohStream, SaysNothingToWhatIsNoHttp) {
  for (const std::string_view garbage :
       {std::string_view("\0\x1d\0\0", 4), std::string_view("get /"),
        std::string_view("PRI * HTTX"), std::string_view("\x16\3")}) {
    World world;
    world.stream.receive(view_of(garbage));
    const bool http1 = garbage.starts_with("PRI ");  // a method like any other
    EXPECT_EQ(world.stream.ended(), !http1) << garbage;
    EXPECT_EQ(world.produced(), "");
    EXPECT_EQ(world.counters.ending(Http2Ending::protocol).value(), http1 ? 0U : 1U);
  }
}

TEST(DohStream, EndsWhoAsksForTooMuchAndCountsItOnce) {
  World world;
  world.to_server();
  world.to_client();
  for (int i = 0; i < 300; ++i) world.client.ping();
  world.to_server();
  EXPECT_TRUE(world.stream.ended());
  world.to_client();
  EXPECT_TRUE(world.client.goaway());
  EXPECT_EQ(world.client.goaway_error(), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  world.to_client();
  EXPECT_EQ(world.counters.ending(Http2Ending::pings).value(), 1U);
  EXPECT_EQ(world.counters.ending(Http2Ending::none).value(), 0U);
}

TEST(DohStream, AnswersWhatWasAskedBeforeItStops) {
  World world;
  const auto asked = world.client.get(get_path);
  world.to_server();
  ASSERT_TRUE(world.stream.next());
  world.stream.stop();
  world.to_client();
  EXPECT_FALSE(world.stream.ended());
  world.stream.respond(asked, answer_message);
  world.to_client();
  EXPECT_TRUE(world.stream.ended());
  EXPECT_EQ(world.client.response(asked).body, answer_message);
  EXPECT_EQ(world.counters.ending(Http2Ending::goodbye).value(), 0U);
}

TEST(DohStream, StopsAtOnceIfNothingWasSaid) {
  World world;
  world.stream.stop();
  EXPECT_TRUE(world.stream.ended());
}

}  // namespace
}  // namespace sotto
