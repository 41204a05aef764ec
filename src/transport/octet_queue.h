// Octets waiting to be consumed, first in, first out, in one contiguous buffer.
// Test: tests/unit/transport/octet_queue_test.cc.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace sotto {

// Never fills what it hands out, moves octets only when room is short, and holds no more than
// kept_octets_max once it is empty: thousands of idle connections own one or two of these each.
class OctetQueue {
 public:
  // A burst of small records fits; a full TLS record does not.
  static constexpr std::size_t kept_octets_max = 1'024;

  bool empty() const { return head_ == tail_; }
  std::size_t size() const { return tail_ - head_; }
  std::size_t capacity() const { return capacity_; }

  // Valid until the next call of space() or append().
  std::span<const std::uint8_t> octets() const { return {buffer_.get() + head_, tail_ - head_}; }

  // Room behind what is waiting; valid until the next call. Follow with commit().
  std::span<std::uint8_t> space(std::size_t at_least) {
    if (capacity_ - tail_ < at_least) make_room(at_least);
    return {buffer_.get() + tail_, capacity_ - tail_};
  }

  void commit(std::size_t count) {
    assert(count <= capacity_ - tail_);
    tail_ += count;
  }

  void append(std::span<const std::uint8_t> octets) {
    if (octets.empty()) return;
    std::memcpy(space(octets.size()).data(), octets.data(), octets.size());
    tail_ += octets.size();
  }

  void consume(std::size_t count) {
    assert(count <= size());
    head_ += count;
    if (head_ != tail_) return;
    head_ = tail_ = 0;
    if (capacity_ > kept_octets_max) {
      buffer_.reset();
      capacity_ = 0;
    }
  }

 private:
  void make_room(std::size_t at_least) {
    const std::size_t waiting = size();
    if (capacity_ >= waiting + at_least && head_ >= capacity_ / 2) {
      std::memmove(buffer_.get(), buffer_.get() + head_, waiting);
    } else {
      // Doubling keeps the cost of copying proportional to what passes through.
      const std::size_t capacity =
          waiting == 0 ? at_least : std::max(waiting + at_least, 2 * capacity_);
      auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
      if (waiting > 0) std::memcpy(buffer.get(), buffer_.get() + head_, waiting);
      buffer_ = std::move(buffer);
      capacity_ = capacity;
    }
    head_ = 0;
    tail_ = waiting;
  }

  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace sotto
