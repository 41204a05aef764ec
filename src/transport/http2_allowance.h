// What a client of HTTP/2 may ask of the server for nothing: frames are counted by their headers
// (RFC 9113 §4.1) before anything else looks at them, and each response that a client takes earns
// it some more. No clock: whoever does something with the answers is served for ever, everybody
// else runs out. Test: tests/unit/transport/http2_allowance_test.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sotto {

// Why an HTTP/2 connection takes no more requests.
enum class Http2Ending : std::uint8_t {
  none,      // it does
  goodbye,   // GOAWAY of the client, or of ours after stop()
  protocol,  // what is not HTTP/2, or breaks it (RFC 9113 §5.4.1)
  // More than the allowance of …
  resets,          // … requests that come to nothing: reset, refused, malformed
  header_fields,   // … octets of a header block, or of the fields it stands for
  continuations,   // … CONTINUATION frames behind one HEADERS
  requests,        // … frames that begin, end or reset requests, if no responses follow
  data,            // … DATA frames with next to nothing in them
  priorities,      // … PRIORITY and PRIORITY_UPDATE frames
  settings,        // … SETTINGS frames
  pings,           // … PING frames
  window_updates,  // … WINDOW_UPDATE frames
  others,          // … frames of other types
  octets,          // … octets that no response follows
  bodies,          // … octets of requests that are not whole
  unread,          // … octets of responses that the client does not take
};
inline constexpr std::size_t http2_endings = static_cast<std::size_t>(Http2Ending::unread) + 1;

// "resets", "header_fields": for counters.
std::string_view http2_ending_text(Http2Ending ending);

// A compressed header block. A DoH client's first one has about 200 octets, a GET of the longest
// name 500. Twice what a header list may have: that one is answered while it can be.
inline constexpr std::uint32_t http2_header_block_octets_max = 32'768;
// Behind one HEADERS. A client needs none for a block that fits one frame.
inline constexpr unsigned http2_continuations_max = 4;
// A DATA frame of so many octets or fewer has next to nothing in it, unless it ends a request: one
// octet of padding length and 255 of padding can hide that there is nothing at all.
inline constexpr std::uint32_t http2_small_data_octets = 256;

class Http2Allowance {
 public:
  Http2Allowance();

  // Octets of the client, in order, cut anywhere, from its preface on. Returns what it has run out
  // of, or protocol for a frame that nghttp2 would let pass, or none.
  Http2Ending receive(std::span<const std::uint8_t> octets);
  // A request came to nothing.
  Http2Ending on_reset() { return take(Http2Ending::resets, 1); }
  // A response has left as a whole.
  void on_response();

 private:
  Http2Ending on_frame();
  bool on_whole_connection() const;
  Http2Ending on_header_block(std::uint32_t length, bool continued);
  Http2Ending take(Http2Ending kind, std::uint32_t count);

  static constexpr std::uint32_t preface_octets = 24;
  static constexpr std::size_t frame_header_octets = 9;

  std::array<std::uint32_t, http2_endings> left_;
  std::uint32_t skip_ = preface_octets;  // octets before the next frame header
  std::uint32_t block_octets_ = 0;       // of the header block at hand …
  std::uint32_t continuations_ = 0;      // … and its CONTINUATIONs
  std::array<std::uint8_t, frame_header_octets> header_{};
  std::size_t header_filled_ = 0;
};

}  // namespace sotto
