// Appends fields to a message in a vector that is reused, so that writing allocates nothing once it
// has grown. Test: tests/unit/dns/answer_test.cc.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "dns/constants.h"
#include "dns/wire.h"

namespace sotto {

// After an append beyond message_octets_max nothing more is written; see ok().
class MessageBuilder {
 public:
  // expected_octets: room made at once; more is made when needed.
  MessageBuilder(std::vector<std::uint8_t>& octets, std::size_t expected_octets) : octets_(octets) {
    octets_.resize(std::min(expected_octets, message_octets_max));
  }

  // Cuts the vector to what was written.
  void finish() { octets_.resize(position_); }

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  // Valid until the next append. Only octets before position() mean anything.
  std::uint8_t* data() { return octets_.data(); }
  std::span<const std::uint8_t> view() const { return {octets_.data(), position_}; }

  // Room for count octets to be written by the caller; null beyond the limit.
  std::uint8_t* claim(std::size_t count) {
    if (count > octets_.size() - position_ && !grow(count)) return nullptr;
    position_ += count;
    return octets_.data() + (position_ - count);
  }
  void put(std::span<const std::uint8_t> field) {
    if (std::uint8_t* to = claim(field.size()); to != nullptr && !field.empty()) {
      std::memcpy(to, field.data(), field.size());
    }
  }
  void put8(std::uint8_t value) {
    if (std::uint8_t* to = claim(1)) *to = value;
  }
  void put16(std::uint16_t value) {
    if (std::uint8_t* to = claim(2)) store16(to, value);
  }

 private:
  bool grow(std::size_t count) {
    if (!ok_ || count > message_octets_max - position_) {
      ok_ = false;
      return false;
    }
    octets_.resize(std::min(std::max(position_ + count, 2 * octets_.size()), message_octets_max));
    return true;
  }

  std::vector<std::uint8_t>& octets_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace sotto
