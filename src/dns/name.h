// Domain names on the wire (RFC 1035 §3.1, §4.1.4): checked once, then plain octets.
// Test: tests/unit/dns/name_test.cc.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "dns/constants.h"
#include "dns/wire.h"

namespace sotto {

// An uncompressed name, wire format, the root's zero octet included; 1 to 255 octets.
// Copies no more octets than it has: names are copied for every query.
class Name {
 public:
  Name() { octets_[0] = 0; }  // the root
  Name(const Name& other) { *this = other; }
  Name& operator=(const Name& other) {
    length_ = other.length_;
    std::memmove(octets_.data(), other.octets_.data(), length_);
    return *this;
  }

  // octets: a valid uncompressed name.
  static Name from_octets(std::span<const std::uint8_t> octets) {
    Name name;
    name.assign(octets);
    return name;
  }
  void assign(std::span<const std::uint8_t> octets) {
    assert(!octets.empty() && octets.size() <= name_octets_max && octets.back() == 0);
    length_ = static_cast<std::uint8_t>(octets.size());
    std::memcpy(octets_.data(), octets.data(), octets.size());
  }

  std::span<const std::uint8_t> octets() const { return {octets_.data(), length_}; }
  std::uint8_t* data() { return octets_.data(); }

  friend bool operator==(const Name& left, const Name& right);  // octet for octet

 private:
  friend Result<Name> read_name(WireReader& reader, std::span<const std::uint8_t> message);

  std::uint8_t length_ = 1;
  std::array<std::uint8_t, name_octets_max> octets_;
};

// Reads a possibly compressed name at the reader's position and leaves the reader behind it.
// message: the whole message the reader reads, for pointers.
Result<Name> read_name(WireReader& reader, std::span<const std::uint8_t> message);

// Octets of the uncompressed name at the start of octets, or 0 if there is no valid one: cut short,
// longer than 255 octets, a pointer or a reserved label type in it.
inline std::size_t plain_name_octets(std::span<const std::uint8_t> octets) {
  constexpr std::uint8_t label_octets_max = 63;  // RFC 1035 §2.3.4
  // Every label shortens what is left of the octets.
  std::size_t at = 0;
  while (at < octets.size() && at < name_octets_max) {
    const std::uint8_t length = octets[at];
    if (length == 0) return at + 1;
    if (length > label_octets_max) return 0;
    at += std::size_t{length} + 1;
  }
  return 0;
}

// ASCII letters to lower case (RFC 4343); length octets pass unharmed, as they are below 'A'.
inline std::uint8_t fold_case(std::uint8_t octet) {
  return octet >= 'A' && octet <= 'Z' ? static_cast<std::uint8_t>(octet | 0x20U) : octet;
}

// Both uncompressed wire format.
bool equal_names(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right);

// Is name equal to parent or below it? Both uncompressed wire format.
bool is_at_or_below(std::span<const std::uint8_t> name, std::span<const std::uint8_t> parent);

// Presentation format with escapes (RFC 1035 §5.1), always ASCII and with the final dot:
// "www.example.".
std::string name_to_text(std::span<const std::uint8_t> name);

// Reads presentation format, with or without the final dot. Error::bad_text.
Result<Name> name_from_text(std::string_view text);

}  // namespace sotto
