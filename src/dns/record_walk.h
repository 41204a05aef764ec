// Goes over the records of a message that rewrite_response() wrote: well-formed by construction, so
// nothing is checked but by assert. Test: tests/unit/dns/record_walk_test.cc.
#pragma once

#include <cassert>
#include <cstdint>
#include <span>

#include "dns/constants.h"
#include "dns/wire.h"

namespace sotto {

// Offsets into the message.
struct RecordPlace {
  std::size_t owner = 0;
  std::size_t type = 0;  // the fixed part: type, class, TTL, RDLENGTH (RFC 1035 §3.2.1)
  std::size_t rdata = 0;
  std::size_t end = 0;

  std::size_t ttl() const { return type + 4; }
};

class RecordWalk {
 public:
  // first: offset of the first record, behind the question. message outlives the walk.
  RecordWalk(std::span<const std::uint8_t> message, std::size_t first)
      : message_(message), position_(first) {}

  bool at_end() const { return position_ == message_.size(); }

  RecordPlace next() {
    RecordPlace place;
    place.owner = position_;
    place.type = behind_name(position_);
    constexpr std::size_t fixed_octets = 10;
    place.rdata = place.type + fixed_octets;
    assert(place.rdata <= message_.size());
    place.end = place.rdata + load16(message_.data() + place.type + 8);
    assert(place.end <= message_.size());
    position_ = place.end;
    return place;
  }

 private:
  // Each label moves on, a pointer or the root ends it.
  std::size_t behind_name(std::size_t at) const {
    constexpr std::uint8_t pointer_bits = 0xC0;
    while (true) {
      assert(at < message_.size());
      const std::uint8_t length = message_[at];
      if (length >= pointer_bits) return at + 2;
      at += std::size_t{length} + 1;
      if (length == 0) return at;
    }
  }

  std::span<const std::uint8_t> message_;
  std::size_t position_;
};

}  // namespace sotto
