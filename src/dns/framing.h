// Messages on a stream: two octets of length before each (RFC 1035 §4.2.2, RFC 7766 §8).
// Test: tests/unit/dns/framing_test.cc (all cuts of a stream), tests/fuzz/framing_fuzz.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sotto {

// Octets of the first message of a stream of whole messages, its length before it included. Neither
// is split where a record of TLS ends: doc/decisions/0032-one-message-per-record.md.
std::size_t first_message_octets(std::span<const std::uint8_t> stream);

// Collects octets as they arrive and cuts them into messages. Grows on demand up to one message of
// 65,535 octets plus what came behind it, and gives memory beyond a small buffer back when empty.
class StreamFramer {
 public:
  // Room for at least at_least octets, to read into; valid until the next call. Follow with
  // filled().
  std::span<std::uint8_t> space(std::size_t at_least);
  void filled(std::size_t count);

  // The next whole message, without its length; zero-length messages are skipped and counted.
  // Valid until the next call of space().
  std::optional<std::span<const std::uint8_t>> next();

  // Octets held that are not yet a whole message.
  std::size_t partial_octets() const;
  // Zero-length messages skipped so far.
  std::size_t empty_messages() const { return empty_messages_; }

 private:
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0;  // of what is not yet cut
  std::size_t end_ = 0;    // of what has been filled
  std::size_t empty_messages_ = 0;
};

}  // namespace sotto
