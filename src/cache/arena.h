// Memory for the entries of one shard: blocks of words that tile a fixed range, with segregated
// free lists and immediate merging, so that a budget is kept exactly and no hole stays a hole.
// Test: tests/unit/cache/arena_test.cc.
#pragma once

#include <array>
#include <cstdint>

#include "cache/words.h"

namespace sotto {

// A block's place: its first word, counted from the shard's begin. 0: none.
using Handle = std::uint16_t;

// The first word of every block. The links are the owner's while it is in use, the arena's else.
struct BlockHead {
  std::uint16_t words;
  std::uint16_t words_before;  // of the block in front of it; 0: it is the first
  Handle next;
  Handle previous;
};
static_assert(sizeof(BlockHead) == word_octets);

class Arena {
 public:
  // The range [begin, end) of memory, begin > 0. Untouched until blocks are taken.
  Arena(Word* memory, std::uint32_t begin, std::uint32_t end);

  // A block of at least this many words (the head included, at least two), or 0 if there is no room
  // in one piece. Its second word must be set to something but 0 before anything else is asked.
  Handle allocate(std::size_t words);
  // Returns the free block it became a part of; at or above top() it is none any more.
  std::uint32_t release(Handle block);
  // Forgets all blocks. The caller has cleared the memory, or does not mind.
  void reset();

  BlockHead head(Handle block) const;
  void set_links(Handle block, Handle next, Handle previous);

  bool in_use(Handle block) const { return load_word(memory_[block + 1]) != 0; }
  // All blocks in the order of memory: first(), then behind() until 0.
  Handle first() const { return top_ > begin_ ? static_cast<Handle>(begin_) : Handle{0}; }
  Handle behind(Handle block) const;

  std::size_t words_used() const { return words_used_; }
  std::uint32_t begin() const { return begin_; }
  std::uint32_t top() const { return top_; }  // nothing was ever, or is, in use from here on
  std::uint32_t end() const { return end_; }
  // Is everything as it says? For tests.
  bool consistent() const;

 private:
  // One bin per size below 64 words, then eight per doubling.
  static constexpr std::size_t exact_bins = 64;
  static constexpr std::size_t bins_per_doubling = 8;
  static constexpr std::size_t bin_count = exact_bins + 10 * bins_per_doubling;

  static std::size_t bin_of(std::size_t words);
  static std::size_t smallest_bin_for(std::size_t words);
  std::size_t next_bin_with_blocks(std::size_t bin) const;
  void set_head(Handle block, const BlockHead& head);
  void set_words_before(std::uint32_t block, std::uint16_t words);
  void put_into_bin(Handle block, BlockHead head);
  void take_from_bin(Handle block);

  Word* memory_;
  std::uint32_t begin_;
  std::uint32_t end_;
  std::uint32_t top_;
  std::uint16_t last_words_ = 0;  // of the block right below top
  std::size_t words_used_ = 0;
  std::array<Handle, bin_count> bins_{};
  std::array<std::uint64_t, (bin_count + 63) / 64> bins_with_blocks_{};
};

}  // namespace sotto
