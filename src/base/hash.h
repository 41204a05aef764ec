// Keyed hashing of short octet strings, for tables whose keys strangers choose.
#pragma once

#define XXH_INLINE_ALL
#include <cstdint>
#include <span>
#include <xxhash.h>

namespace sotto {

// XXH3, 64 bits. With an unpredictable seed, colliding keys cannot be prepared offline.
inline std::uint64_t keyed_hash(std::span<const std::uint8_t> octets, std::uint64_t seed) {
  return XXH3_64bits_withSeed(octets.data(), octets.size(), seed);
}

}  // namespace sotto
