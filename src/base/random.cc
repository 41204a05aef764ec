#include "base/random.h"

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <sys/random.h>

namespace sotto {
namespace {

// SplitMix64: every seed yields a full-period sequence.
std::uint64_t split_mix(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31U);
}

}  // namespace

void Random::refill() {
  if (seed_state_) {
    for (std::size_t at = 0; at < block_octets; at += sizeof(std::uint64_t)) {
      const std::uint64_t value = split_mix(*seed_state_);
      std::memcpy(block_.data() + at, &value, sizeof value);
    }
  } else if (::getrandom(block_.data(), block_.size(), 0) != static_cast<ssize_t>(block_.size())) {
    // getrandom(2): 256 octets never fail and are never cut short. Without randomness no query may
    // leave.
    std::abort();
  }
  used_ = 0;
}

std::uint64_t Random::next64() {
  std::uint64_t value = 0;
  if (block_octets - used_ < sizeof value) refill();
  std::memcpy(&value, block_.data() + used_, sizeof value);
  used_ += sizeof value;
  return value;
}

std::uint16_t Random::next16() {
  std::uint16_t value = 0;
  if (block_octets - used_ < sizeof value) refill();
  std::memcpy(&value, block_.data() + used_, sizeof value);
  used_ += sizeof value;
  return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
  assert(bound > 0);
  // Rejects the incomplete last range, so that every value is equally likely.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = next64();
  while (value >= limit) value = next64();
  return value % bound;
}

}  // namespace sotto
