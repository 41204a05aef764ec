// DNS over HTTPS as the driver of streams sees it: HTTP/2 in, queries out; responses in, HTTP/2
// out. RFC 8484. A client of HTTP/1.1 is told that it is one. No I/O, no clock.
// Test: tests/unit/frontend/doh_stream_test.cc, tests/integration/test_doh.py.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/doh_counters.h"
#include "frontend/stream_protocol.h"
#include "transport/http2_server.h"

namespace sotto {

// ALPN of HTTP/2 over TLS (RFC 9113 §3.2).
inline constexpr const char* doh_alpn = "h2";

// The start of a client of HTTP/1 that is read before it is answered, which is as soon as its
// header fields end.
inline constexpr std::size_t http1_octets_max = 8'192;

class DohStream final : public StreamProtocol {
 public:
  // path: where DNS is served. room: see Http2Server. All outlive the stream.
  DohStream(std::string_view path, DohCounters& counters, Http2FrameRoom* room = nullptr)
      : path_(path), counters_(counters), http2_(room) {}

  void receive(std::span<const std::uint8_t> plaintext) override;
  std::optional<Query> next() override;
  bool waits(std::uint32_t stream) const override { return http2_.waits(stream); }
  void respond(std::uint32_t stream, std::span<const std::uint8_t> response) override;
  void drop(std::uint32_t stream) override;
  void produce(OctetQueue& plaintext) override;
  RecordCut record_cut() const override;
  std::size_t held() const override { return http2_.held() + http1_response_.size(); }
  void stop() override;
  bool ended() const override { return spoken_ == Spoken::refused || http2_.ended(); }

 private:
  enum class Spoken : std::uint8_t {
    unknown,  // nothing but a beginning of HTTP/2's preface
    http2,
    http1,    // its header fields have not ended
    refused,  // HTTP/1 or nothing known, and answered if it can be
  };
  void listen_to_http1(std::span<const std::uint8_t> plaintext);
  void refuse(std::uint32_t stream, std::uint16_t status, std::string_view words);
  void note_ending();

  std::string_view path_;
  DohCounters& counters_;
  Spoken spoken_ = Spoken::unknown;
  bool ending_noted_ = false;
  Http2Server http2_;
  std::string start_;                  // what came before it was known what is spoken
  std::string http1_response_;         // not produced yet
  std::vector<std::uint8_t> decoded_;  // the message of a GET
};

}  // namespace sotto
