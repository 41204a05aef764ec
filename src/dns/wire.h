// Octets of a DNS message: reading with bounds checked once, writing into a caller's buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <endian.h>
#include <span>

namespace sotto {

// One instruction or two each, which compilers do not always make of octets put together.
inline std::uint16_t load16(const std::uint8_t* octets) {
  std::uint16_t value = 0;
  std::memcpy(&value, octets, sizeof value);
  return be16toh(value);
}

inline std::uint32_t load32(const std::uint8_t* octets) {
  std::uint32_t value = 0;
  std::memcpy(&value, octets, sizeof value);
  return be32toh(value);
}

inline void store16(std::uint8_t* octets, std::uint16_t value) {
  const std::uint16_t ordered = htobe16(value);
  std::memcpy(octets, &ordered, sizeof ordered);
}

inline void store32(std::uint8_t* octets, std::uint32_t value) {
  const std::uint32_t ordered = htobe32(value);
  std::memcpy(octets, &ordered, sizeof ordered);
}

// Reads fields of one message. After a read past the end every read yields zero; see ok().
class WireReader {
 public:
  explicit WireReader(std::span<const std::uint8_t> octets, std::size_t position = 0)
      : octets_(octets), position_(position), ok_(position <= octets.size()) {}

  bool ok() const { return ok_; }
  void set_failed() { ok_ = false; }
  std::size_t position() const { return position_; }
  std::size_t left() const { return ok_ ? octets_.size() - position_ : 0; }

  std::span<const std::uint8_t> take(std::size_t count) {
    if (!ok_ || count > octets_.size() - position_) {
      ok_ = false;
      return {};
    }
    position_ += count;
    return octets_.subspan(position_ - count, count);
  }
  std::uint8_t take8() {
    const auto field = take(1);
    return ok_ ? field[0] : std::uint8_t{0};
  }
  std::uint16_t take16() {
    const auto field = take(2);
    return ok_ ? load16(field.data()) : std::uint16_t{0};
  }
  std::uint32_t take32() {
    const auto field = take(4);
    return ok_ ? load32(field.data()) : std::uint32_t{0};
  }

 private:
  std::span<const std::uint8_t> octets_;
  std::size_t position_;
  bool ok_;
};

// Writes fields into a buffer of fixed size. After a write past the end nothing more is written;
// see ok().
class WireWriter {
 public:
  explicit WireWriter(std::span<std::uint8_t> octets, std::size_t position = 0)
      : octets_(octets), position_(position), ok_(position <= octets.size()) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t left() const { return ok_ ? octets_.size() - position_ : 0; }

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
  void put32(std::uint32_t value) {
    if (std::uint8_t* to = claim(4)) store32(to, value);
  }
  void put_zeros(std::size_t count) {
    if (std::uint8_t* to = claim(count); to != nullptr && count > 0) std::memset(to, 0, count);
  }

 private:
  std::uint8_t* claim(std::size_t count) {
    if (!ok_ || count > octets_.size() - position_) {
      ok_ = false;
      return nullptr;
    }
    position_ += count;
    return octets_.data() + (position_ - count);
  }

  std::span<std::uint8_t> octets_;
  std::size_t position_;
  bool ok_;
};

}  // namespace sotto
