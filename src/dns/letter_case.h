// Folding ASCII letters to lower case, many octets at a time (RFC 4343): names are compared and
// copied on every query. Measured by tests/bench/dns_bench.cc.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dns/name.h"

namespace sotto {

inline std::uint64_t fold_octets(std::uint64_t octets) {
  constexpr std::uint64_t each = 0x0101'0101'0101'0101U;
  const std::uint64_t low_bits = octets & (each * 0x7FU);
  // The top bit of each octet says whether it is at least 'A', or above 'Z'; nothing carries over.
  const std::uint64_t from_a = low_bits + each * (0x80U - 'A');
  const std::uint64_t above_z = low_bits + each * (0x7FU - 'Z');
  const std::uint64_t ascii = ~octets & (each * 0x80U);
  return octets | (((from_a ^ above_z) & ascii) >> 2U);
}

inline std::uint64_t load_native64(const std::uint8_t* octets) {
  std::uint64_t value = 0;
  std::memcpy(&value, octets, sizeof value);
  return value;
}

// A register of sixteen octets, which both GCC and Clang compile for any processor.
using Octets16 [[gnu::vector_size(16)]] = std::uint8_t;

inline Octets16 fold_octets(Octets16 octets) {
  const auto is_letter = octets - 'A' <= 'Z' - 'A';  // all ones where it is; others wrap around
  return octets | (reinterpret_cast<Octets16>(is_letter) & 0x20);
}

// Copies and folds count octets step by step. The last step ends with the last octet, whatever was
// folded before.
template <class Octets>
void copy_folded_by(std::uint8_t* to, const std::uint8_t* from, std::size_t count) {
  const auto copy_at = [=](std::size_t at) {
    Octets octets;
    std::memcpy(&octets, from + at, sizeof octets);
    octets = fold_octets(octets);
    std::memcpy(to + at, &octets, sizeof octets);
  };
  constexpr std::size_t step = sizeof(Octets);
  for (std::size_t at = 0; at + step < count; at += step) copy_at(at);
  copy_at(count - step);
}

// The areas do not overlap.
inline void copy_folded(std::uint8_t* to, const std::uint8_t* from, std::size_t count) {
  if (count >= sizeof(Octets16)) return copy_folded_by<Octets16>(to, from, count);
  if (count >= sizeof(std::uint64_t)) return copy_folded_by<std::uint64_t>(to, from, count);
  for (std::size_t at = 0; at < count; ++at) to[at] = fold_case(from[at]);
}

// The last eight octets are folded as a whole, some of them for the second time, and not one by
// one.
inline bool equal_folded(const std::uint8_t* left, const std::uint8_t* right, std::size_t count) {
  constexpr std::size_t step = sizeof(std::uint64_t);
  if (count < step) {
    return std::equal(left, left + count, right, [](std::uint8_t one, std::uint8_t other) {
      return fold_case(one) == fold_case(other);
    });
  }
  const auto equal_at = [=](std::size_t at) {
    return fold_octets(load_native64(left + at)) == fold_octets(load_native64(right + at));
  };
  for (std::size_t at = 0; at + step < count; at += step) {
    if (!equal_at(at)) return false;
  }
  return equal_at(count - step);
}

}  // namespace sotto
