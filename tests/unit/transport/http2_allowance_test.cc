#include "transport/http2_allowance.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "http2_client.h"

namespace sotto {
namespace {

using test::frame;
using test::greeting;
using test::Octets;

// How many of these frames a new client may send, and what it has then run out of.
struct Sent {
  std::size_t count = 0;
  Http2Ending ending = Http2Ending::none;
};

Sent repeat(Http2Allowance& allowance, const Octets& octets, std::size_t most = 1'000'000) {
  Sent run;
  while (run.count < most && run.ending == Http2Ending::none) {
    run.ending = allowance.receive(octets);
    if (run.ending == Http2Ending::none) ++run.count;
  }
  return run;
}

Sent repeat(const Octets& octets) {
  Http2Allowance allowance;
  EXPECT_EQ(allowance.receive(greeting()), Http2Ending::none);
  return repeat(allowance, octets);
}

struct Case {
  const char* reason;
  Octets octets;
  std::size_t count;
  Http2Ending ending;
};

TEST(Http2Allowance, RunsOutOfEachKindOnItsOwn) {
  const Octets nothing;
  const Octets window{0, 0, 0, 1};
  const Octets padded(256, 0);
  const Octets useful(257, 1);
  const Octets block(100, 0);
  const Case cases[] = {
      {"PING", frame(NGHTTP2_PING, 0, 0, Octets(8, 0)), 128, Http2Ending::pings},
      {"SETTINGS, of which the greeting has one", frame(NGHTTP2_SETTINGS, 0, 0), 31,
       Http2Ending::settings},
      {"empty DATA", frame(NGHTTP2_DATA, 0, 1), 512, Http2Ending::data},
      {"DATA that is all padding", frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, padded), 512,
       Http2Ending::data},
      {"empty DATA that ends a request", frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1), 1'024,
       Http2Ending::requests},
      {"DATA with something in it, 266 octets a frame", frame(NGHTTP2_DATA, 0, 1, useful), 15'768,
       Http2Ending::octets},
      {"PRIORITY", frame(NGHTTP2_PRIORITY, 0, 1, Octets(5, 0)), 256, Http2Ending::priorities},
      {"PRIORITY on no stream (RFC 9113 §6.3)", frame(NGHTTP2_PRIORITY, 0, 0, Octets(5, 0)), 0,
       Http2Ending::protocol},
      {"the same with the reserved bit", frame(NGHTTP2_PRIORITY, 0, 0x8000'0000, Octets(5, 0)), 0,
       Http2Ending::protocol},
      {"PRIORITY_UPDATE", frame(16, 0, 0, Octets(5, 0)), 256, Http2Ending::priorities},
      {"WINDOW_UPDATE", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, window), 512,
       Http2Ending::window_updates},
      {"RST_STREAM", frame(NGHTTP2_RST_STREAM, 0, 1, window), 1'024, Http2Ending::requests},
      {"HEADERS", frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block), 1'024,
       Http2Ending::requests},
      {"an unknown type", frame(0xEE, 0, 0, nothing), 64, Http2Ending::others},
      {"GOAWAY", frame(NGHTTP2_GOAWAY, 0, 0, Octets(8, 0)), 64, Http2Ending::others},
      {"CONTINUATION", frame(NGHTTP2_CONTINUATION, 0, 1, nothing), 4, Http2Ending::continuations},
  };
  for (const Case& one : cases) {
    const Sent run = repeat(one.octets);
    EXPECT_EQ(run.count, one.count) << one.reason;
    EXPECT_EQ(http2_ending_text(run.ending), http2_ending_text(one.ending)) << one.reason;
  }
}

TEST(Http2Allowance, LimitsAHeaderBlockOverItsFrames) {
  Http2Allowance allowance;
  EXPECT_EQ(allowance.receive(greeting()), Http2Ending::none);
  const Octets part(16'384, 0);
  for (int block = 0; block < 3; ++block) {
    EXPECT_EQ(allowance.receive(frame(NGHTTP2_HEADERS, 0, 1, part)), Http2Ending::none);
    EXPECT_EQ(allowance.receive(frame(NGHTTP2_CONTINUATION, 4, 1, part)), Http2Ending::none);
  }
  EXPECT_EQ(allowance.receive(frame(NGHTTP2_CONTINUATION, 4, 1, Octets(1, 0))),
            Http2Ending::header_fields);
}

TEST(Http2Allowance, EarnsMoreWithResponsesButNeverMoreThanAtTheStart) {
  const Octets ping = frame(NGHTTP2_PING, 0, 0, Octets(8, 0));
  Http2Allowance allowance;
  EXPECT_EQ(allowance.receive(greeting()), Http2Ending::none);
  for (int i = 0; i < 1'000; ++i) allowance.on_response();
  EXPECT_EQ(repeat(allowance, ping, 128).count, 128U);
  allowance.on_response();
  EXPECT_EQ(repeat(allowance, ping).count, 2U);
}

// A client that takes its answers may go on for ever.
TEST(Http2Allowance, NeverRunsOutForARequestAndItsUsualFrames) {
  Http2Allowance allowance;
  EXPECT_EQ(allowance.receive(greeting()), Http2Ending::none);
  Octets turn;
  for (const Octets& one :
       {frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, Octets(60, 0)),
        frame(NGHTTP2_DATA, 0, 1, Octets(40, 0)), frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1),
        frame(NGHTTP2_WINDOW_UPDATE, 0, 0, Octets(4, 0)),
        frame(NGHTTP2_WINDOW_UPDATE, 0, 1, Octets(4, 0)),
        frame(NGHTTP2_PING, 0, 0, Octets(8, 0))}) {
    turn.insert(turn.end(), one.begin(), one.end());
  }
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(allowance.receive(turn), Http2Ending::none) << i;
    allowance.on_response();
  }
}

TEST(Http2Allowance, CountsTheSameHoweverTheStreamIsCut) {
  Octets stream = greeting();
  const Octets ping = frame(NGHTTP2_PING, 0, 0, Octets(8, 0));
  for (int i = 0; i < 129; ++i) stream.insert(stream.end(), ping.begin(), ping.end());
  for (std::size_t piece = 1; piece < 50; ++piece) {
    Http2Allowance allowance;
    std::size_t at = 0;
    Http2Ending ending = Http2Ending::none;
    for (; at < stream.size() && ending == Http2Ending::none; at += piece) {
      const std::size_t count = std::min(piece, stream.size() - at);
      ending = allowance.receive(std::span(stream).subspan(at, count));
    }
    EXPECT_EQ(ending, Http2Ending::pings) << "pieces of " << piece;
    EXPECT_GT(at, stream.size() - ping.size()) << "pieces of " << piece;
  }
}

TEST(Http2Allowance, CountsRequestsThatComeToNothing) {
  Http2Allowance allowance;
  for (int i = 0; i < 256; ++i) ASSERT_EQ(allowance.on_reset(), Http2Ending::none);
  EXPECT_EQ(allowance.on_reset(), Http2Ending::resets);
}

}  // namespace
}  // namespace sotto
