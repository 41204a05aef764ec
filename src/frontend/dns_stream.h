// DNS messages on a stream, each behind two octets of length: TCP and DoT (RFC 7766 §8, RFC 7858
// §3.3). Test: tests/unit/frontend/dns_stream_test.cc (all cuts).
#pragma once

#include "dns/framing.h"
#include "frontend/stream_protocol.h"

namespace sotto {

// Owns little beyond what is under way: the room of the last queries, if it is small.
class DnsStream final : public StreamProtocol {
 public:
  void receive(std::span<const std::uint8_t> plaintext) override;
  std::optional<Query> next() override;
  bool waits(std::uint32_t) const override { return true; }
  void respond(std::uint32_t stream, std::span<const std::uint8_t> response) override;
  void drop(std::uint32_t) override {}
  void produce(OctetQueue& plaintext) override;
  RecordCut record_cut() const override { return first_message_octets; }
  std::size_t held() const override { return output_.size(); }
  // What had come before is still asked.
  void stop() override { stopped_ = true; }
  bool ended() const override { return false; }

 private:
  StreamFramer framer_;
  OctetQueue output_;  // framed responses
  bool stopped_ = false;
};

}  // namespace sotto
