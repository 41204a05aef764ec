// An nghttp2 client against Http2Server over memory: what is asked is what comes out, however the
// stream is cut.
#include "transport/http2_server.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory>

#include "http2_client.h"

namespace sotto {
namespace {

using test::Http2Client;
using test::Octets;
using test::view_of;

// A client and a server; move() carries octets both ways until neither has any.
struct Pair {
  Pair() = default;
  explicit Pair(const Http2Client::Options& options) : client(options) {}

  void to_server() {
    const Octets octets = client.output();
    server.receive(octets);
  }
  void to_client() {
    OctetQueue octets;
    server.produce(octets);
    client.receive(octets.octets());
  }
  void move() {
    for (int turn = 0; turn < 4; ++turn) {
      to_server();
      to_client();
    }
  }
  // Answers all there is with the request's own method, path and body.
  void echo() {
    while (const auto request = server.next()) {
      std::string text = std::string(request->method) + " " + std::string(request->path) + " ";
      text.append(request->body.begin(), request->body.end());
      server.respond(request->stream, {.status = 200,
                                       .content_type = "text/plain",
                                       .cache_control = "max-age=7",
                                       .allow = {},
                                       .body = view_of(text)});
    }
  }

  Http2Client client;
  Http2Server server;
};

TEST(Http2Server, GivesRequestsAndCarriesResponses) {
  Pair pair;
  const auto stream = pair.client.post("/dns-query?a=b", view_of("what"));
  pair.to_server();
  const auto request = pair.server.next();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->stream, stream);
  EXPECT_EQ(request->fault, HttpRequestView::Fault::none);
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->path, "/dns-query?a=b");
  EXPECT_EQ(request->content_type, "application/dns-message");
  EXPECT_EQ(std::string(request->body.begin(), request->body.end()), "what");
  EXPECT_FALSE(pair.server.next());
  EXPECT_TRUE(pair.server.waits(stream));
  pair.server.respond(stream, {.status = 200,
                               .content_type = "application/dns-message",
                               .cache_control = "max-age=300",
                               .allow = {},
                               .body = view_of("that")});
  EXPECT_FALSE(pair.server.waits(stream));
  const std::size_t held = pair.server.held();
  OctetQueue octets;
  pair.server.produce(octets);
  EXPECT_EQ(held, octets.size());
  EXPECT_EQ(pair.server.held(), 0U);
  pair.client.receive(octets.octets());
  const auto& response = pair.client.response(stream);
  EXPECT_EQ(response.status(), "200");
  EXPECT_EQ(response.at("content-type"), "application/dns-message");
  EXPECT_EQ(response.at("content-length"), "4");
  EXPECT_EQ(response.at("cache-control"), "max-age=300");
  EXPECT_EQ(response.fields.size(), 4U);
  EXPECT_EQ(response.text(), "that");
  EXPECT_TRUE(response.closed);
  EXPECT_EQ(response.error, 0U);
  EXPECT_EQ(pair.server.streams(), 0U);
  EXPECT_EQ(pair.server.ending(), Http2Ending::none);
}

// The types of frames, up to where a record of TLS may end.
std::vector<std::string> records_of(std::span<const std::uint8_t> frames) {
  std::vector<std::string> records;
  while (!frames.empty()) {
    const std::size_t record = first_response_octets(frames);
    std::string& types = records.emplace_back();
    for (std::size_t at = 0; at < record;) {
      types += std::to_string(frames[at + 3]);
      at += 9U + (std::size_t{frames[at + 1]} << 8U | frames[at + 2]);
    }
    frames = frames.subspan(record);
  }
  return records;
}

TEST(Http2Server, FramesOfAResponseStayTogether) {
  Pair pair;
  pair.move();
  for (const char* method : {"GET", "HEAD", "GET"}) pair.client.get("/x", method);
  pair.to_server();
  pair.echo();
  pair.client.ping();
  pair.to_server();
  OctetQueue octets;
  pair.server.produce(octets);
  // HEADERS and DATA; HEADERS that end the stream; then an answer to PING.
  EXPECT_EQ(records_of(octets.octets()), (std::vector<std::string>{"10", "1", "10", "6"}));
}

TEST(Http2Server, WhatFlowControlPartedLeavesInRecordsOfItsOwn) {
  Pair pair({.window = 6, .automatic_windows = false});
  pair.move();
  const auto stream = pair.client.get("/x");  // "GET /x ": seven octets
  pair.to_server();
  pair.echo();
  OctetQueue octets;
  pair.server.produce(octets);
  EXPECT_EQ(records_of(octets.octets()), std::vector<std::string>{"10"});
  EXPECT_EQ(pair.server.held(), 1U);
  octets.consume(octets.size());
  pair.client.allow(stream, 1);
  pair.to_server();
  pair.server.produce(octets);
  EXPECT_EQ(records_of(octets.octets()), std::vector<std::string>{"0"});
}

TEST(Http2Server, AnswersHeadWithoutABody) {
  Pair pair;
  const auto stream = pair.client.get("/x", "HEAD");
  pair.to_server();
  pair.echo();
  pair.move();
  const auto& response = pair.client.response(stream);
  EXPECT_EQ(response.status(), "200");
  EXPECT_EQ(response.at("content-length"), "8");  // "HEAD /x "
  EXPECT_TRUE(response.body.empty());
  EXPECT_TRUE(response.closed);
  EXPECT_FALSE(pair.client.confused());
}

TEST(Http2Server, AnswersOutOfOrder) {
  Pair pair;
  std::vector<std::uint32_t> streams;
  for (int i = 0; i < 5; ++i) streams.push_back(pair.client.get("/" + std::to_string(i)));
  pair.to_server();
  std::map<std::uint32_t, std::string> paths;
  while (const auto request = pair.server.next()) paths[request->stream] = request->path;
  ASSERT_EQ(paths.size(), 5U);
  for (const std::size_t at : {3U, 0U, 4U, 1U, 2U}) {
    pair.server.respond(streams[at], {.status = 200,
                                      .content_type = "text/plain",
                                      .cache_control = {},
                                      .allow = {},
                                      .body = view_of(paths[streams[at]])});
    pair.to_client();
    EXPECT_EQ(pair.client.response(streams[at]).text(), "/" + std::to_string(at));
  }
}

TEST(Http2Server, GivesTheSameHoweverTheStreamIsCut) {
  Http2Client writer;
  writer.post("/a", view_of("one"));
  writer.get("/b?dns=AAAA");
  writer.post("/c", view_of("three"));
  const Octets stream = writer.output();
  const auto requests = [](Http2Server& server) {
    std::string text;
    while (const auto request = server.next()) {
      text += std::string(request->method) + std::string(request->path) +
              std::string(request->body.begin(), request->body.end()) + "\n";
    }
    return text;
  };
  // nghttp2 sends all HEADERS before the first DATA.
  const std::string expected = "GET/b?dns=AAAA\nPOST/aone\nPOST/cthree\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Http2Server server;
    std::string seen;
    server.receive(std::span(stream).first(cut));
    seen += requests(server);
    server.receive(std::span(stream).subspan(cut));
    seen += requests(server);
    EXPECT_EQ(seen, expected) << "cut at " << cut;
  }
  for (std::size_t piece = 1; piece < 40; ++piece) {
    Http2Server server;
    std::string seen;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      server.receive(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
      seen += requests(server);
    }
    EXPECT_EQ(seen, expected) << "pieces of " << piece;
  }
}

TEST(Http2Server, SendsNoMoreThanTheClientsWindow) {
  Pair pair(Http2Client::Options{.window = 100, .automatic_windows = false});
  const auto stream = pair.client.get("/");
  pair.move();
  ASSERT_TRUE(pair.server.next());
  const Octets body(1'000, 'x');
  pair.server.respond(stream, {.status = 200,
                               .content_type = "text/plain",
                               .cache_control = {},
                               .allow = {},
                               .body = body});
  pair.move();
  EXPECT_EQ(pair.client.response(stream).body.size(), 100U);
  EXPECT_EQ(pair.server.held(), 900U);
  pair.client.allow(stream, 850);
  pair.move();
  EXPECT_EQ(pair.client.response(stream).body.size(), 950U);
  EXPECT_FALSE(pair.client.response(stream).ended);
  pair.client.allow(stream, 850);
  pair.move();
  EXPECT_EQ(pair.client.response(stream).body, body);
  EXPECT_TRUE(pair.client.response(stream).closed);
  EXPECT_EQ(pair.server.held(), 0U);
}

TEST(Http2Server, ForgetsAResetStream) {
  Pair pair;
  const auto taken = pair.client.get("/taken");
  pair.to_server();
  ASSERT_TRUE(pair.server.next());
  const auto whole = pair.client.get("/whole");
  const Octets part(100, 'x');
  const auto arriving = pair.client.ask({{":method", "POST"},
                                         {":scheme", "https"},
                                         {":authority", "dns.test"},
                                         {":path", "/arriving"}},
                                        &part, true);
  pair.to_server();
  EXPECT_EQ(pair.server.streams(), 3U);
  // What was taken is not kept.
  EXPECT_EQ(pair.server.request_octets(), std::string("GET/wholePOST/arriving").size() + 100);
  for (const auto stream : {taken, whole, arriving}) pair.client.reset(stream);
  pair.to_server();
  EXPECT_EQ(pair.server.streams(), 0U);
  EXPECT_EQ(pair.server.request_octets(), 0U);
  EXPECT_FALSE(pair.server.waits(taken));
  EXPECT_FALSE(pair.server.next());
  const auto after = pair.client.get("/after");
  pair.to_server();
  pair.echo();
  pair.move();
  EXPECT_EQ(pair.client.response(after).text(), "GET /after ");
}

TEST(Http2Server, RefusesTheRestOfABodyThatIsTooLarge) {
  Pair pair;
  const auto largest = pair.client.post("/", Octets(http2_body_octets_max, 'x'));
  pair.move();
  auto request = pair.server.next();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->fault, HttpRequestView::Fault::none);
  EXPECT_EQ(request->body.size(), http2_body_octets_max);
  pair.server.respond(largest, {});
  const auto larger = pair.client.post("/", Octets(http2_body_octets_max + 1, 'x'));
  for (int turn = 0; turn < 20 && pair.client.responses().count(larger) == 0; ++turn) {
    pair.to_server();
    if ((request = pair.server.next())) {
      EXPECT_EQ(request->fault, HttpRequestView::Fault::body_too_large);
      EXPECT_EQ(pair.server.request_octets(), 0U);
      pair.server.respond(larger, {.status = 413,
                                   .content_type = "text/plain",
                                   .cache_control = {},
                                   .allow = {},
                                   .body = view_of("too large")});
    }
    pair.to_client();
  }
  pair.move();
  EXPECT_EQ(pair.client.response(larger).status(), "413");
  EXPECT_EQ(pair.client.response(larger).text(), "too large");
  EXPECT_TRUE(pair.client.response(larger).closed);
  EXPECT_EQ(pair.server.streams(), 0U);
  EXPECT_EQ(pair.server.ending(), Http2Ending::none);
}

TEST(Http2Server, RespondsToAnEndlessBodyAndResetsTheRest) {
  Pair pair;
  const Octets part(http2_body_octets_max + 1, 'x');
  const auto stream = pair.client.ask(
      {{":method", "POST"}, {":scheme", "https"}, {":authority", "dns.test"}, {":path", "/"}},
      &part, true);
  pair.move();
  pair.move();
  ASSERT_TRUE(pair.server.next());
  pair.server.respond(stream, {.status = 413,
                               .content_type = "text/plain",
                               .cache_control = {},
                               .allow = {},
                               .body = view_of("no")});
  pair.move();
  EXPECT_EQ(pair.client.response(stream).text(), "no");
  EXPECT_TRUE(pair.client.response(stream).closed);
  EXPECT_EQ(pair.client.response(stream).error, std::uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_EQ(pair.server.streams(), 0U);
}

TEST(Http2Server, SaysWhenTheFieldsAreTooMany) {
  Pair pair;
  Http2Client::Fields fields{
      {":method", "GET"}, {":scheme", "https"}, {":authority", "dns.test"}, {":path", "/"}};
  for (int i = 0; i < 90; ++i) fields.emplace_back("x-" + std::to_string(i), std::string(200, 'x'));
  const auto stream = pair.client.ask(fields, nullptr);
  pair.move();
  const auto request = pair.server.next();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->fault, HttpRequestView::Fault::header_list_too_large);
  pair.server.respond(
      stream, {.status = 431, .content_type = {}, .cache_control = {}, .allow = {}, .body = {}});
  pair.move();
  EXPECT_EQ(pair.client.response(stream).status(), "431");
  EXPECT_EQ(pair.server.ending(), Http2Ending::none);
}

TEST(Http2Server, AnswersWhatWasAskedBeforeItStops) {
  Pair pair;
  const auto before = pair.client.get("/before");
  pair.to_server();
  pair.server.stop();
  EXPECT_FALSE(pair.server.ended());
  pair.to_client();
  EXPECT_TRUE(pair.client.goaway());
  EXPECT_EQ(pair.client.goaway_error(), std::uint32_t{NGHTTP2_NO_ERROR});
  pair.echo();
  EXPECT_FALSE(pair.server.ended());
  pair.to_client();
  EXPECT_EQ(pair.client.response(before).text(), "GET /before ");
  EXPECT_TRUE(pair.server.ended());
  EXPECT_EQ(pair.server.ending(), Http2Ending::goodbye);
}

TEST(Http2Server, EndsAfterTheClientsGoodbye) {
  Pair pair;
  const auto stream = pair.client.get("/");
  pair.to_server();
  pair.client.goodbye();
  pair.to_server();
  EXPECT_FALSE(pair.server.ended());
  pair.echo();
  pair.to_client();
  EXPECT_EQ(pair.client.response(stream).status(), "200");
  EXPECT_TRUE(pair.server.ended());
  EXPECT_EQ(pair.server.ending(), Http2Ending::goodbye);
}

// An idle DoH connection is to take at most 24 kB, of which TLS takes 13.
TEST(Http2Server, TakesLittleMemoryWhenIdle) {
  constexpr std::size_t count = 50;
  Http2FrameRoom room;
  Http2Client writer;
  writer.post("/dns-query", view_of("what"));
  const Octets asked = writer.output();
  std::vector<std::unique_ptr<Http2Server>> servers(count);
  OctetQueue out;
  static_cast<void>(out.space(16'384));
  const std::size_t before = mallinfo2().uordblks;
  for (auto& server : servers) {
    server = std::make_unique<Http2Server>(&room);
    server->receive(asked);
    server->respond(server->next()->stream, {});
    server->produce(out);
    out.consume(out.size() - 1);  // keeps its room
  }
  const std::size_t each = (mallinfo2().uordblks - before) / count;
  EXPECT_LT(each, 11'000U);
  for (auto& server : servers) EXPECT_EQ(server->streams(), 0U);
}

// Whenever a connection is closed, what was open is given back (checked by the sanitizers).
TEST(Http2Server, CanBeDestroyedAtAnyTime) {
  Http2Client writer;
  for (int i = 0; i < 5; ++i) writer.post("/", view_of("body"));
  const Octets stream = writer.output();
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Http2Server server;
    server.receive(std::span(stream).first(cut));
    if (cut % 3 == 0) {
      if (const auto request = server.next()) server.respond(request->stream, {});
    }
    if (cut % 2 == 0) {
      OctetQueue out;
      server.produce(out);
    }
  }
}

}  // namespace
}  // namespace sotto
