// Folding ASCII letters to lower case eight octets at a time (RFC 4343): names are compared and
// copied on every query. Measured by tests/bench/dns_bench.cc.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dns/name.h"

namespace sotto {

inline std::uint64_t fold_case8(std::uint64_t octets) {
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

// The areas do not overlap. The last eight octets are folded as a whole, some of them for the
// second time, and not one by one; so they are compared below.
inline void copy_folded(std::uint8_t* to, const std::uint8_t* from, std::size_t count) {
  constexpr std::size_t step = sizeof(std::uint64_t);
  if (count < step) {
    for (std::size_t at = 0; at < count; ++at) to[at] = fold_case(from[at]);
    return;
  }
  const auto copy_at = [=](std::size_t at) {
    const std::uint64_t folded = fold_case8(load_native64(from + at));
    std::memcpy(to + at, &folded, step);
  };
  for (std::size_t at = 0; at + step < count; at += step) copy_at(at);
  copy_at(count - step);
}

inline bool equal_folded(const std::uint8_t* left, const std::uint8_t* right, std::size_t count) {
  constexpr std::size_t step = sizeof(std::uint64_t);
  if (count < step) {
    return std::equal(left, left + count, right, [](std::uint8_t one, std::uint8_t other) {
      return fold_case(one) == fold_case(other);
    });
  }
  const auto equal_at = [=](std::size_t at) {
    return fold_case8(load_native64(left + at)) == fold_case8(load_native64(right + at));
  };
  for (std::size_t at = 0; at + step < count; at += step) {
    if (!equal_at(at)) return false;
  }
  return equal_at(count - step);
}

}  // namespace sotto
