#include "dns/framing.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "dns/constants.h"
#include "dns/wire.h"

namespace sotto {
namespace {

// What a connection keeps between messages: some queries or a usual answer. An idle client
// connection may cost 16 kB with everything.
constexpr std::size_t kept_octets = 2'048;

}  // namespace

std::size_t first_message_octets(std::span<const std::uint8_t> stream) {
  if (stream.size() < stream_length_octets) return stream.size();
  return std::min(stream.size(), stream_length_octets + load16(stream.data()));
}

std::span<std::uint8_t> StreamFramer::space(std::size_t at_least) {
  const std::size_t held = end_ - begin_;
  if (held == 0) {
    begin_ = end_ = 0;
    const std::size_t keep = std::max(kept_octets, at_least);
    if (buffer_.size() > keep) std::vector<std::uint8_t>().swap(buffer_);
    if (buffer_.size() < at_least) buffer_.resize(at_least);
  } else if (buffer_.size() - end_ < at_least) {
    if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, held);
    begin_ = 0;
    end_ = held;
    // Doubling, and never by what a length prefix merely announces: a client that promises 65,535
    // octets and sends none costs nothing.
    if (buffer_.size() - end_ < at_least) {
      buffer_.resize(std::max(held + at_least, 2 * buffer_.size()));
    }
  }
  return std::span(buffer_).subspan(end_);
}

void StreamFramer::filled(std::size_t count) {
  assert(count <= buffer_.size() - end_);
  end_ += count;
}

std::optional<std::span<const std::uint8_t>> StreamFramer::next() {
  // Every turn takes two octets off what is held.
  while (end_ - begin_ >= stream_length_octets) {
    const std::size_t length = load16(buffer_.data() + begin_);
    if (end_ - begin_ - stream_length_octets < length) return std::nullopt;
    const std::size_t message = begin_ + stream_length_octets;
    begin_ = message + length;
    if (length > 0) return std::span<const std::uint8_t>(buffer_).subspan(message, length);
    ++empty_messages_;
  }
  return std::nullopt;
}

std::size_t StreamFramer::partial_octets() const {
  return end_ - begin_;
}

}  // namespace sotto
