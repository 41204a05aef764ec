// Randomness as a parameter: the kernel's in production, a seed's in tests and simulation.
// Only random.cc has a source; tests/tidy checks it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sotto {

// Unpredictable bits, fetched from getrandom(2) in blocks. Not thread-safe: one per worker.
class Random {
 public:
  // Reads the kernel's source.
  Random() = default;
  // Yields the same sequence for the same seed; for tests only.
  explicit Random(std::uint64_t seed) : seed_state_(seed) {}

  std::uint64_t next64();
  std::uint16_t next16();

  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  void refill();

  static constexpr std::size_t block_octets = 256;  // getrandom(2) never returns fewer
  std::array<std::uint8_t, block_octets> block_{};
  std::size_t used_ = block_octets;
  std::optional<std::uint64_t> seed_state_;
};

}  // namespace sotto
