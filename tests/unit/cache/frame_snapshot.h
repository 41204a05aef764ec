// Puts a snapshot together from chunks of any content, so that what is wrong inside them gets past
// the checksums.
#pragma once

#define XXH_INLINE_ALL
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>
#include <xxhash.h>

#include "make_message.h"

namespace sotto::test {

inline Octets big_endian(std::uint64_t value, unsigned octets) {
  Octets result;
  for (unsigned left = octets; left > 0; --left) {
    result.push_back(static_cast<std::uint8_t>(value >> (8 * (left - 1))));
  }
  return result;
}

struct SnapshotFrame {
  std::string_view magic = "sotto\r\n\x1a";
  std::uint32_t version = 1;
  std::uint64_t created = 0;  // milliseconds
  std::vector<Octets> chunks;
  std::uint64_t entries = 0;
};

inline Octets frame_snapshot(const SnapshotFrame& frame) {
  std::uint64_t checksum = 0;
  const auto sealed = [&checksum](const Octets& part) {
    checksum = XXH3_64bits_withSeed(part.data(), part.size(), checksum);
    return join({part, big_endian(checksum, 8)});
  };
  Octets file = join({octets_of(frame.magic),
                      sealed(join({big_endian(frame.version, 4), big_endian(frame.created, 8)}))});
  for (const Octets& chunk : frame.chunks) {
    file = join({file, big_endian(chunk.size(), 4), sealed(chunk)});
  }
  return join({file, big_endian(0, 4), sealed(big_endian(frame.entries, 8))});
}

struct EntryFrame {
  std::uint32_t scope = 0x0100'0000;  // RD
  std::uint64_t expires = 1'000'000;  // milliseconds
  std::uint32_t ttl = 300;
  std::uint16_t rcode = 0;
  Octets extended_error;
  Octets message;
};

inline Octets frame_entry(const EntryFrame& entry) {
  return join({big_endian(entry.scope, 4), big_endian(entry.expires, 8), big_endian(entry.ttl, 4),
               big_endian(entry.rcode, 2), big_endian(entry.extended_error.size(), 1),
               entry.extended_error, big_endian(entry.message.size(), 2), entry.message});
}

}  // namespace sotto::test
