// Clients that want work, or memory, for nothing: each kind ends in GOAWAY, by its own cause, after
// a number of frames that is exact, and what the server holds meanwhile is bounded. Frames are
// written by hand, as no library would send them.
#include <gtest/gtest.h>
#include <malloc.h>

#include "http2_client.h"
#include "transport/http2_server.h"

namespace sotto {
namespace {

using test::frame;
using test::greeting;
using test::header_block;
using test::Http2Client;
using test::Octets;
using test::view_of;

constexpr std::uint8_t end_headers = NGHTTP2_FLAG_END_HEADERS;
constexpr std::uint8_t end_both = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;

const Octets& get_block() {
  static const Octets block = header_block(
      {{":method", "GET"}, {":scheme", "https"}, {":authority", "dns.test"}, {":path", "/"}});
  return block;
}

Octets& operator+=(Octets& left, const Octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// What the allocator has given out.
std::size_t allocated() {
  return mallinfo2().uordblks;
}

// A server after the greeting, the acknowledgement of its SETTINGS included.
class Abused {
 public:
  Abused() {
    send(greeting());
    send(frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0));
  }

  void send(const Octets& octets) {
    server.receive(octets);
    if (reading) produce();
  }
  void produce() {
    OctetQueue out;
    server.produce(out);
    output += Octets(out.octets().begin(), out.octets().end());
  }
  // Sends what make(turn) gives until the connection ends; returns how often that was.
  template <class Make>
  int flood(Make make, int most = 200'000) {
    const std::size_t before = allocated();
    int turn = 0;
    for (; turn < most && !server.ended(); ++turn) {
      output = {};
      send(make(turn));
      grown = std::max(grown, allocated() - std::min(allocated(), before));
    }
    produce();
    return turn;
  }
  // The error of the GOAWAY that left last, which is at the end of the output.
  std::uint32_t goaway_error() const {
    std::size_t at = 0;
    while (at + 9 <= output.size()) {
      const std::size_t length =
          (std::size_t{output[at]} << 16U) | (std::size_t{output[at + 1]} << 8U) | output[at + 2];
      if (output[at + 3] == NGHTTP2_GOAWAY) return output[at + 16];
      at += 9 + length;
    }
    return 0xFFFF'FFFF;
  }
  std::string_view cause() const { return http2_ending_text(server.ending()); }

  bool reading = true;  // does the client take what the server sends?
  Http2Server server;
  Octets output;
  std::size_t grown = 0;  // memory, while it lasted
};

std::uint32_t stream_of(int turn) {
  return static_cast<std::uint32_t>(2 * turn + 1);
}

TEST(Http2Abuse, RapidReset) {
  Abused abused;
  const int turns = abused.flood([](int turn) {
    Octets octets = frame(NGHTTP2_HEADERS, end_both, stream_of(turn), get_block());
    octets += frame(NGHTTP2_RST_STREAM, 0, stream_of(turn), Octets{0, 0, 0, 8});
    return octets;
  });
  EXPECT_EQ(turns, 257);
  EXPECT_EQ(abused.cause(), "resets");
  EXPECT_EQ(abused.goaway_error(), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_LT(abused.grown, 16'384U);
}

// The client makes the server reset (RFC 9113 §6.9.1): its window grows too large.
TEST(Http2Abuse, ResetsThatTheServerIsMadeToSend) {
  Abused abused;
  const int turns = abused.flood([](int turn) {
    Octets octets = frame(NGHTTP2_HEADERS, end_both, stream_of(turn), get_block());
    octets += frame(NGHTTP2_WINDOW_UPDATE, 0, stream_of(turn), Octets{127, 255, 255, 255});
    return octets;
  });
  EXPECT_EQ(turns, 129);  // each is a frame that is refused and a request that comes to nothing
  EXPECT_EQ(abused.cause(), "resets");
  EXPECT_LT(abused.grown, 16'384U);
}

TEST(Http2Abuse, ContinuationsThatNeverEnd) {
  Abused abused;
  const int turns = abused.flood([](int turn) {
    if (turn == 0) return frame(NGHTTP2_HEADERS, 0, 1, get_block());
    return frame(NGHTTP2_CONTINUATION, 0, 1, header_block({{"x", "y"}}));
  });
  EXPECT_EQ(turns, 6);
  EXPECT_EQ(abused.cause(), "continuations");
  EXPECT_EQ(abused.goaway_error(), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
}

TEST(Http2Abuse, HeaderBlocksThatNeverEnd) {
  Abused abused;
  const std::string value(120, 'v');
  const int turns = abused.flood([&](int turn) {
    Octets block = turn == 0 ? get_block() : Octets();
    while (block.size() < 16'000) block += header_block({{"name", value}});
    return frame(turn == 0 ? NGHTTP2_HEADERS : NGHTTP2_CONTINUATION, 0, 1, block);
  });
  EXPECT_EQ(turns, 3);
  EXPECT_EQ(abused.cause(), "header_fields");
  EXPECT_LT(abused.grown, 100'000U);
}

// RFC 7541 §7.3: a large field is put into the table once, and then named by one octet each.
TEST(Http2Abuse, HpackBomb) {
  Abused abused;
  Octets block = get_block();
  // Literal with incremental indexing; the value's length 900 as 0x7F 0x85 0x06.
  block += Octets{0x40, 1, 'x', 0x7F, 0x85, 0x06};
  block += Octets(900, 'v');
  for (int i = 0; i < 10'000; ++i) block.push_back(0xBE);  // index 62: the newest of the table
  const int turns = abused.flood(
      [&](int turn) { return frame(NGHTTP2_HEADERS, end_both, stream_of(turn), block); });
  EXPECT_EQ(turns, 1);
  EXPECT_EQ(abused.cause(), "header_fields");
  EXPECT_EQ(abused.goaway_error(), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_LT(abused.grown, 32'768U);
}

// One large field that is kept, put into the table once; then each request that never ends names it
// four times.
TEST(Http2Abuse, LargeFieldsOfRequestsThatNeverEnd) {
  Abused abused;
  const Octets post = header_block(
      {{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}});
  Octets first = post;
  // `content-type` is 31 of the static table; the value's length 3,900 as 0x7F 0xBD 0x1D.
  first += Octets{0x40 | 31, 0x7F, 0xBD, 0x1D};
  first += Octets(3'900, 'v');
  Octets next = post;
  next += Octets(4, 0xBE);
  const int turns = abused.flood([&](int turn) {
    return frame(NGHTTP2_HEADERS, end_headers, stream_of(turn), turn == 0 ? first : next);
  });
  EXPECT_EQ(turns, 11);
  EXPECT_EQ(abused.cause(), "bodies");
  EXPECT_LT(abused.grown, 262'144U);
}

// Of a request that waits for its response nothing is kept.
TEST(Http2Abuse, LargeRequestsThatWait) {
  Abused abused;
  const Octets post = header_block(
      {{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}});
  const int turns = abused.flood(
      [&](int turn) {
        while (abused.server.next()) continue;
        Octets octets = frame(NGHTTP2_HEADERS, end_headers, stream_of(turn), post);
        for (int part = 0; part < 4; ++part) {
          const std::uint8_t flags = part == 3 ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE;
          octets += frame(NGHTTP2_DATA, flags, stream_of(turn), Octets(16'000, 'x'));
        }
        return octets;
      },
      50);
  EXPECT_EQ(turns, 50);
  EXPECT_EQ(abused.cause(), "none");
  EXPECT_LT(abused.grown, 524'288U);
}

struct Flood {
  const char* name;
  Octets octets;
  int turns;
  const char* cause;
};

// Of a client that takes nothing of what it makes the server say.
TEST(Http2Abuse, FramesThatAskForNothing) {
  const Flood floods[] = {
      {"SETTINGS", frame(NGHTTP2_SETTINGS, 0, 0, Octets{0, 4, 0, 0, 255, 255}), 31, "settings"},
      {"PING", frame(NGHTTP2_PING, 0, 0, Octets(8, 0)), 129, "pings"},
      {"WINDOW_UPDATE", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, Octets{0, 0, 0, 1}), 513,
       "window_updates"},
      {"PRIORITY", frame(NGHTTP2_PRIORITY, 0, 3, Octets(5, 0)), 257, "priorities"},
      {"empty DATA on a stream that is open", frame(NGHTTP2_DATA, 0, 1), 513, "data"},
      {"unknown frames", frame(0xEE, 0, 0, Octets(8, 0)), 65, "others"},
  };
  for (const Flood& flood : floods) {
    Abused abused;
    const Octets post = header_block(
        {{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}});
    abused.send(frame(NGHTTP2_HEADERS, end_headers, 1, post));
    abused.reading = false;
    EXPECT_EQ(abused.flood([&](int) { return flood.octets; }), flood.turns) << flood.name;
    EXPECT_EQ(abused.cause(), flood.cause) << flood.name;
    EXPECT_EQ(abused.goaway_error(), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM}) << flood.name;
    EXPECT_LT(abused.grown, 65'536U) << flood.name;
  }
}

TEST(Http2Abuse, MoreStreamsThanAllowed) {
  Abused abused;
  const int turns = abused.flood(
      [](int turn) { return frame(NGHTTP2_HEADERS, end_both, stream_of(turn), get_block()); });
  EXPECT_EQ(turns, 129);
  EXPECT_EQ(abused.cause(), "protocol");
  EXPECT_EQ(abused.goaway_error(), std::uint32_t{NGHTTP2_PROTOCOL_ERROR});
  EXPECT_LT(abused.grown, 262'144U);
}

TEST(Http2Abuse, BodiesThatNeverEnd) {
  Abused abused;
  const Octets post = header_block(
      {{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}});
  const Octets part(8'192, 'x');
  const int turns = abused.flood([&](int turn) {
    Octets octets = frame(NGHTTP2_HEADERS, end_headers, stream_of(turn), post);
    octets += frame(NGHTTP2_DATA, 0, stream_of(turn), part);
    return octets;
  });
  EXPECT_EQ(turns, 18);
  EXPECT_EQ(abused.cause(), "bodies");
  EXPECT_LT(abused.grown, 262'144U);
}

TEST(Http2Abuse, ABodyOctetByOctet) {
  Abused abused;
  const Octets post = header_block(
      {{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}});
  abused.send(frame(NGHTTP2_HEADERS, end_headers, 1, post));
  EXPECT_EQ(abused.flood([](int) { return frame(NGHTTP2_DATA, 0, 1, Octets(1, 'x')); }), 513);
  EXPECT_EQ(abused.cause(), "data");
}

TEST(Http2Abuse, ResponsesThatNobodyReads) {
  Abused abused;
  abused.send(frame(NGHTTP2_SETTINGS, 0, 0, Octets{0, 4, 0, 0, 0, 0}));  // no window at all
  const Octets body(60'000, 'r');
  const int turns = abused.flood([&](int turn) {
    while (const auto request = abused.server.next()) {
      abused.server.respond(request->stream, {.status = 200,
                                              .content_type = "text/plain",
                                              .cache_control = {},
                                              .allow = {},
                                              .body = body});
    }
    return frame(NGHTTP2_HEADERS, end_both, stream_of(turn), get_block());
  });
  EXPECT_EQ(turns, 19);  // 17 responses fit
  EXPECT_EQ(abused.cause(), "unread");
  EXPECT_EQ(abused.goaway_error(), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
}

TEST(Http2Abuse, NotHttp2AtAll) {
  Http2Server server;
  server.receive(view_of("GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(server.ended());
  EXPECT_EQ(server.ending(), Http2Ending::protocol);
  OctetQueue out;
  server.produce(out);
  EXPECT_TRUE(out.empty());
}

TEST(Http2Abuse, NothingIsTakenAfterTheEnd) {
  Abused abused;
  abused.send(frame(NGHTTP2_HEADERS, end_both, 1, get_block()));
  abused.flood([](int) { return frame(NGHTTP2_PING, 0, 0, Octets(8, 0)); });
  EXPECT_FALSE(abused.server.next());
  EXPECT_FALSE(abused.server.waits(1));
  abused.output.clear();
  abused.send(frame(NGHTTP2_HEADERS, end_both, 3, get_block()));
  EXPECT_FALSE(abused.server.next());
  EXPECT_TRUE(abused.output.empty());
}

}  // namespace
}  // namespace sotto
