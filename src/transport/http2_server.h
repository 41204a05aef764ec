// The server's end of one HTTP/2 connection over memory: octets in, whole requests out; responses
// in, octets out. On nghttp2; knows nothing of DNS. No I/O, no clock. RFC 9113, RFC 7541.
// Test: tests/unit/transport/http2_server_test.cc (an nghttp2 client, all cuts),
// tests/unit/transport/http2_interleaving_test.cc, http2_abuse_test.cc, tests/fuzz/http2_fuzz.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nghttp2/nghttp2.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/intrusive_list.h"
#include "transport/http2_allowance.h"
#include "transport/http2_stream_ids.h"
#include "transport/octet_queue.h"

namespace sotto {

// Requests of one connection that may be open at a time, told in SETTINGS_MAX_CONCURRENT_STREAMS.
// RFC 9113 §6.5.2 wants no fewer than 100; the responses of all are at most twice unread_octets.
inline constexpr std::uint32_t http2_streams_max = 128;
// The fields of one request as RFC 9113 §6.5.2 counts them, 32 octets for each: told in
// SETTINGS_MAX_HEADER_LIST_SIZE. A GET of the longest name has 700 octets in `:path`. Beyond it the
// request is answered 431; beyond four times as much the block is a bomb.
inline constexpr std::size_t http2_header_list_octets_max = 16'384;
inline constexpr std::size_t http2_header_bomb_octets = 4 * http2_header_list_octets_max;
// HPACK's table of what our responses repeat (RFC 7541 §4.2), which is `content-type`. For that of
// the client's requests SETTINGS_HEADER_TABLE_SIZE stays what it is, 4,096: clients are known that
// do not follow a change of it, Go's before 1.20 among them.
inline constexpr std::size_t http2_response_table_octets = 256;
// A request's content, which is a DNS message: beyond it the request is answered 413.
inline constexpr std::size_t http2_body_octets_max = 65'535;
// What is kept of all requests that have not been taken by next(): two of the longest contents, and
// fields, which count as HPACK makes thousands of octets of one.
inline constexpr std::size_t http2_requests_octets_max = 2 * 65'536 + http2_header_list_octets_max;
// Responses that flow control holds back. With the windows of a client that says nothing about them
// 65,535 octets are on their way, and clients keep up; this is 800 responses of the largest size
// seen often, 1,232 octets.
inline constexpr std::size_t http2_unread_octets_max = 1'048'576;

// A request as it was sent; valid until the next call of next().
struct HttpRequestView {
  enum class Fault : std::uint8_t { none, header_list_too_large, body_too_large };
  std::uint32_t stream = 0;
  Fault fault = Fault::none;  // what there is of such a request is not all of it
  std::string_view method;
  std::string_view path;          // with the query behind '?'
  std::string_view content_type;  // empty: none
  std::span<const std::uint8_t> body;
};

// Views are read by respond() only.
struct HttpResponse {
  std::uint16_t status = 200;
  std::string_view content_type;
  std::string_view cache_control;  // empty: the field is left out
  std::string_view allow;          // likewise
  std::span<const std::uint8_t> body;
};

// Where nghttp2 puts a frame together: of the 24 kB that a connection takes without it, 16. Nothing
// is held there between two calls of produce(), so all connections of a thread may share one.
struct Http2FrameRoom {
  std::array<std::uint8_t, 16'384 + 1'024> octets;
};

// Octets of the first response of a stream of whole frames, and of what stands before it: up to the
// end of its frame of DATA, or of the frame that ends its stream.
std::size_t first_response_octets(std::span<const std::uint8_t> frames);

class Http2Server {
 public:
  // room: outlives the server and is used by one thread; null: one of its own.
  explicit Http2Server(Http2FrameRoom* room = nullptr);
  ~Http2Server();
  Http2Server(const Http2Server&) = delete;
  Http2Server& operator=(const Http2Server&) = delete;

  // Octets of the client, in order, cut anywhere, from its preface on. Copies what it keeps. After
  // ending() says why the connection ends, they are ignored.
  void receive(std::span<const std::uint8_t> octets);
  // The next whole request, or one with a fault.
  std::optional<HttpRequestView> next();

  // Is a response to the request of this stream, which next() gave, still owed and wanted?
  bool waits(std::uint32_t stream) const;
  // Only if waits(). To HEAD the body is not sent, only its length. Copies the body.
  void respond(std::uint32_t stream, const HttpResponse& response);
  // Appends what is to leave, as far as the client's flow control lets it: whole frames, those of a
  // response one after the other, unless flow control parts them.
  void produce(OctetQueue& octets);

  // Octets of responses that were accepted, not produced, and may be one day.
  std::size_t held() const { return ready_.size() + (broken() ? 0 : held_octets_); }
  // Octets kept of requests that were received and not taken by next().
  std::size_t request_octets() const { return request_octets_; }
  // Requests whose streams are open.
  std::size_t streams() const { return whole_.size() + others_.size(); }

  // GOAWAY: requests that come later are not taken, those before are answered.
  void stop();
  // Nothing is read any more, and the connection closes when all is sent. With ending() other than
  // goodbye that is at once; a goodbye waits for the responses that are owed.
  bool ended() const;
  Http2Ending ending() const { return ending_; }

 private:
  struct Callbacks;  // what nghttp2 calls
  struct Memory;     // where it gets its memory
  struct Text {      // a part of Stream::text
    std::uint16_t at = 0;
    std::uint16_t length = 0;
  };
  struct Stream {
    enum class State : std::uint8_t { arriving, whole, taken, answered };
    std::int32_t id = 0;
    State state = State::arriving;
    HttpRequestView::Fault fault = HttpRequestView::Fault::none;
    bool head = false;           // the method is HEAD
    bool request_ended = false;  // the client sends no more
    bool in_trailers = false;    // fields that come now are none of the request's
    Text method, path, content_type;
    std::string text;                // of the request, until it is taken
    std::vector<std::uint8_t> body;  // likewise, then of the response
    std::size_t sent = 0;            // of the response's body
    std::size_t field_octets = 0;    // of the header list
    ListHook<Stream> links;          // in whole_ or in others_
  };
  // What next() gave last: a stream that waits for its response keeps nothing of its request.
  struct Taken {
    std::string text;
    std::vector<std::uint8_t> body;
  };
  using Streams = IntrusiveList<Stream, &Stream::links>;

  nghttp2_session* open_session();
  Stream* find(std::uint32_t id) const;
  void submit(Stream& stream, const nghttp2_nv* fields, std::size_t count);
  void gather();
  void begin_block(std::int32_t id);
  void begin(std::int32_t id);
  void begin_trailers(std::int32_t id);
  bool count_field(std::string_view name, std::string_view value);
  void on_field(std::string_view name, std::string_view value);
  void count_request(std::size_t octets);
  void on_body(Stream& stream, std::span<const std::uint8_t> octets);
  void on_request_ended(Stream& stream);
  void on_whole(Stream& stream, HttpRequestView::Fault fault);
  void on_closed(Stream& stream);
  static void destroy(Streams& list, Stream& stream);
  void end(Http2Ending ending);
  void check(Http2Ending ending) {
    if (ending != Http2Ending::none) end(ending);
  }
  bool broken() const { return ending_ != Http2Ending::none && ending_ != Http2Ending::goodbye; }

  Http2FrameRoom* room_;
  bool opening_ = true;  // nghttp2 allocates what a connection has from the start
  nghttp2_session* session_ = nullptr;
  Http2Allowance allowance_;
  Http2StreamIds ids_;
  Http2Ending ending_ = Http2Ending::none;
  bool silent_ = false;  // nghttp2 gave up: not even GOAWAY leaves
  Streams whole_;        // for next(), the first to be whole first
  Streams others_;
  Stream* fields_of_ = nullptr;  // the header block at hand
  OctetQueue ready_;             // frames that may leave
  std::size_t held_octets_ = 0;  // of responses' bodies that are in no frame yet
  std::size_t request_octets_ = 0;
  std::optional<Taken> taken_;
};

}  // namespace sotto
