// The memory of a shard, read by threads that hold no lock while another writes: octets in words
// that are loaded and stored atomically, so that a reader sees old or new words, never undefined
// behaviour. On x86-64 these are plain moves.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sotto {

inline constexpr std::size_t word_octets = 8;

constexpr std::size_t words_for(std::size_t octets) {
  return (octets + word_octets - 1) / word_octets;
}

using Word = std::atomic<std::uint64_t>;

// Acquire: whatever is loaded after these words is at least as new as they are, which is what lets
// a reader check afterwards that nobody wrote meanwhile (the shard's version).
inline std::uint64_t load_word(const Word& word) {
  return word.load(std::memory_order_acquire);
}

// Release: whoever sees this word sees the version that was set before it.
inline void store_word(Word& word, std::uint64_t value) {
  word.store(value, std::memory_order_release);
}

inline void copy_word(const Word& from, std::uint8_t* to) {
  const std::uint64_t word = load_word(from);
  std::memcpy(to, &word, word_octets);
}

// Two at a time: most entries are five to ten words long.
inline void copy_whole_words(const Word* from, std::uint8_t* to, std::size_t words) {
  for (; words >= 2; words -= 2) {
    copy_word(from[0], to);
    copy_word(from[1], to + word_octets);
    from += 2;
    to += 2 * word_octets;
  }
  if (words > 0) copy_word(*from, to);
}

inline void copy_from_words(const Word* from, std::uint8_t* to, std::size_t octets) {
  const std::size_t words = octets / word_octets;
  copy_whole_words(from, to, words);
  if (const std::size_t rest = octets % word_octets; rest > 0) {
    const std::uint64_t word = load_word(from[words]);
    std::memcpy(to + words * word_octets, &word, rest);
  }
}

}  // namespace sotto
