// Which streams a client may still send HEADERS on. RFC 9113 §5.1.1: a new one has a higher
// identifier than all before it. A lower one that is not open can be in order all the same:
// trailers of a request that was reset here, sent before the client knew. nghttp2 cannot tell the
// two apart and ignores both. No I/O. Test: tests/unit/transport/http2_stream_ids_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sotto {

class Http2StreamIds {
 public:
  // As many as may be open: trailers of more than these are not on their way.
  static constexpr std::size_t unfinished_kept = 128;

  // A HEADERS frame begins. open: the stream is. False if that is a connection error.
  bool on_headers(std::uint32_t id, bool open);
  // The stream closed, or was refused, before the client had ended its request.
  void on_unfinished(std::uint32_t id);

 private:
  std::uint32_t highest_ = 0;
  std::uint32_t unknown_up_to_ = 0;  // what was unfinished there is forgotten
  std::vector<std::uint32_t> unfinished_;
};

}  // namespace sotto
