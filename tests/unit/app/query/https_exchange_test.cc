// sotto query's HTTP/2 against the server's over memory, and against what else may answer there.
#include "app/query/https_exchange.h"

#include <gtest/gtest.h>
#include <string_view>

#include "transport/http2_server.h"

namespace sotto {
namespace {

using Octets = std::vector<std::uint8_t>;

std::span<const std::uint8_t> view_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

HttpsExchange::Question question(bool get) {
  return {.authority = "dns.example", .path = "/q", .get = get, .body = Octets{0, 1, 0xFF, 0xFE}};
}

struct World {
  explicit World(bool get = false) : exchange(question(get)) {}

  // The request reaches the server, which answers it with response.
  void ask(const HttpResponse& response) {
    server.receive(exchange.output());
    const auto request = server.next();
    EXPECT_TRUE(request);
    if (!request) return;
    seen_method = request->method;
    seen_path = request->path;
    seen_type = request->content_type;
    seen_body.assign(request->body.begin(), request->body.end());
    server.respond(request->stream, response);
    OctetQueue out;
    server.produce(out);
    for (const std::uint8_t& octet : out.octets()) exchange.receive({&octet, 1});
  }

  HttpsExchange exchange;
  Http2Server server;
  std::string seen_method, seen_path, seen_type;
  Octets seen_body;
};

HttpResponse dns_response(std::string_view body) {
  return {.status = 200,
          .content_type = "application/dns-message",
          .cache_control = "max-age=7",
          .allow = {},
          .body = view_of(body)};
}

TEST(HttpsExchange, PostsTheQueryAndTakesTheAnswer) {
  World world;
  world.ask(dns_response("answer"));
  EXPECT_EQ(world.seen_method, "POST");
  EXPECT_EQ(world.seen_type, "application/dns-message");
  EXPECT_EQ(world.seen_body, (Octets{0, 1, 0xFF, 0xFE}));
  EXPECT_EQ(world.seen_path, "/q");
  ASSERT_TRUE(world.exchange.done());
  EXPECT_EQ(world.exchange.fault(), "");
  EXPECT_EQ(std::string(world.exchange.message().begin(), world.exchange.message().end()),
            "answer");
  EXPECT_EQ(world.exchange.cache_control(), "max-age=7");
}

TEST(HttpsExchange, GetsWithBase64url) {
  World world(true);
  world.ask(dns_response("answer"));
  EXPECT_EQ(world.seen_path, "/q?dns=AAH__g");
  EXPECT_EQ(world.exchange.fault(), "");
}

TEST(HttpsExchange, SaysWhatTheServerSaid) {
  struct Case {
    HttpResponse response;
    const char* fault;
  };
  const Case cases[] = {
      {{.status = 404,
        .content_type = "text/plain; charset=utf-8",
        .cache_control = {},
        .allow = {},
        .body = view_of("not \x1bhere\nreally")},
       "HTTP status 404: not \\x1bhere"},
      {{.status = 500, .content_type = {}, .cache_control = {}, .allow = {}, .body = {}},
       "HTTP status 500"},
      {{.status = 200,
        .content_type = "text/html",
        .cache_control = {},
        .allow = {},
        .body = view_of("<p>")},
       "the response is text/html, not application/dns-message; is this the path of DNS?"},
  };
  for (const Case& one : cases) {
    World world;
    world.ask(one.response);
    EXPECT_TRUE(world.exchange.done());
    EXPECT_EQ(world.exchange.fault(), one.fault);
  }
}

TEST(HttpsExchange, KnowsHttp1AndGarbage) {
  HttpsExchange http1(question(false));
  http1.output();
  http1.receive(view_of("HTT"));
  EXPECT_FALSE(http1.done());
  http1.receive(view_of("P/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(http1.done());
  EXPECT_EQ(http1.fault(), "the server speaks HTTP/1 only, DNS over HTTPS needs HTTP/2");
}

}  // namespace
}  // namespace sotto
