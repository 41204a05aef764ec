#include "cache/arena.h"

#include <bit>

namespace sotto {
namespace {

constexpr std::size_t words_min = 2;  // the head, and the word that tells used from free

}  // namespace

Arena::Arena(Word* memory, std::uint32_t begin, std::uint32_t end)
    : memory_(memory), begin_(begin), end_(end), top_(begin) {
  assert(begin > 0 && begin < end && end <= UINT16_MAX);
}

BlockHead Arena::head(Handle block) const {
  return std::bit_cast<BlockHead>(load_word(memory_[block]));
}

void Arena::set_head(Handle block, const BlockHead& head) {
  store_word(memory_[block], std::bit_cast<std::uint64_t>(head));
}

void Arena::set_links(Handle block, Handle next, Handle previous) {
  BlockHead changed = head(block);
  changed.next = next;
  changed.previous = previous;
  set_head(block, changed);
}

Handle Arena::behind(Handle block) const {
  const std::uint32_t next = block + std::uint32_t{head(block).words};
  return next < top_ ? static_cast<Handle>(next) : Handle{0};
}

// --- bins ---------------------------------------------------------------------------------------

// The bin that holds free blocks of this size: sizes of a bin reach from its own up to the next's.
std::size_t Arena::bin_of(std::size_t words) {
  if (words < exact_bins) return words;
  const auto doubling = static_cast<std::size_t>(std::bit_width(words)) - 7;  // 64 to 127: 0
  const std::size_t eighth = (words >> (doubling + 3)) - bins_per_doubling;
  return exact_bins + doubling * bins_per_doubling + eighth;
}

// The first bin all of whose blocks are large enough.
std::size_t Arena::smallest_bin_for(std::size_t words) {
  if (words < exact_bins) return words;
  const auto doubling = static_cast<std::size_t>(std::bit_width(words)) - 7;
  const std::size_t step = std::size_t{1} << (doubling + 3);
  return bin_of((words + step - 1) & ~(step - 1));
}

std::size_t Arena::next_bin_with_blocks(std::size_t bin) const {
  if (bin >= bin_count) return bin_count;
  std::size_t at = bin / 64;
  std::uint64_t bits = bins_with_blocks_[at] & (~std::uint64_t{0} << (bin % 64));
  while (bits == 0) {
    if (++at == bins_with_blocks_.size()) return bin_count;
    bits = bins_with_blocks_[at];
  }
  return at * 64 + static_cast<std::size_t>(std::countr_zero(bits));
}

void Arena::put_into_bin(Handle block, BlockHead head) {
  const std::size_t bin = bin_of(head.words);
  head.previous = 0;
  head.next = bins_[bin];
  set_head(block, head);
  store_word(memory_[block + 1], 0);
  if (head.next != 0) {
    const BlockHead next = this->head(head.next);
    set_links(head.next, next.next, block);
  }
  bins_[bin] = block;
  bins_with_blocks_[bin / 64] |= std::uint64_t{1} << (bin % 64);
}

void Arena::take_from_bin(Handle block) {
  const BlockHead own = head(block);
  const std::size_t bin = bin_of(own.words);
  if (own.previous != 0) {
    set_links(own.previous, own.next, head(own.previous).previous);
  } else {
    bins_[bin] = own.next;
    if (own.next == 0) bins_with_blocks_[bin / 64] &= ~(std::uint64_t{1} << (bin % 64));
  }
  if (own.next != 0) set_links(own.next, head(own.next).next, own.previous);
}

// --- blocks -------------------------------------------------------------------------------------

void Arena::set_words_before(std::uint32_t block, std::uint16_t words) {
  if (block >= top_) {
    last_words_ = words;
    return;
  }
  BlockHead changed = head(static_cast<Handle>(block));
  changed.words_before = words;
  set_head(static_cast<Handle>(block), changed);
}

Handle Arena::allocate(std::size_t words) {
  assert(words >= words_min);
  if (words > end_ - begin_) return 0;
  const auto wanted = static_cast<std::uint16_t>(words);
  const std::size_t bin = next_bin_with_blocks(smallest_bin_for(words));
  if (bin == bin_count) {
    if (end_ - top_ < words) return 0;
    const auto block = static_cast<Handle>(top_);
    top_ += wanted;
    set_head(block, {.words = wanted, .words_before = last_words_, .next = 0, .previous = 0});
    last_words_ = wanted;
    words_used_ += wanted;
    return block;
  }
  const Handle block = bins_[bin];
  BlockHead own = head(block);
  take_from_bin(block);
  const auto rest = static_cast<std::uint16_t>(own.words - wanted);
  if (rest >= words_min) {
    own.words = wanted;
    const auto behind = static_cast<Handle>(block + wanted);
    set_words_before(std::uint32_t{behind} + rest, rest);
    put_into_bin(behind, {.words = rest, .words_before = wanted, .next = 0, .previous = 0});
  }
  own.next = own.previous = 0;
  set_head(block, own);
  words_used_ += own.words;
  return block;
}

std::uint32_t Arena::release(Handle block) {
  BlockHead own = head(block);
  words_used_ -= own.words;
  if (own.words_before != 0) {
    const auto before = static_cast<Handle>(block - own.words_before);
    if (!in_use(before)) {
      take_from_bin(before);
      const BlockHead merged = head(before);
      own.words = static_cast<std::uint16_t>(own.words + merged.words);
      own.words_before = merged.words_before;
      block = before;
    }
  }
  const std::uint32_t next = block + std::uint32_t{own.words};
  if (next < top_ && !in_use(static_cast<Handle>(next))) {
    take_from_bin(static_cast<Handle>(next));
    own.words = static_cast<std::uint16_t>(own.words + head(static_cast<Handle>(next)).words);
  }
  const std::uint32_t behind = block + std::uint32_t{own.words};
  if (behind == top_) {
    top_ = block;
    last_words_ = own.words_before;
    return block;
  }
  set_words_before(behind, own.words);
  put_into_bin(block, own);
  return block;
}

void Arena::reset() {
  top_ = begin_;
  last_words_ = 0;
  words_used_ = 0;
  bins_.fill(0);
  bins_with_blocks_.fill(0);
}

bool Arena::consistent() const {
  std::size_t used = 0;
  std::size_t free_blocks = 0;
  std::uint16_t before = 0;
  bool free_before = false;
  for (std::uint32_t at = begin_; at != top_;) {
    const auto block = static_cast<Handle>(at);
    const BlockHead own = head(block);
    if (own.words < words_min || at + own.words > top_ || own.words_before != before) return false;
    if (!in_use(block) && free_before) return false;
    free_before = !in_use(block);
    if (free_before) {
      ++free_blocks;
    } else {
      used += own.words;
    }
    before = own.words;
    at += own.words;
  }
  if (free_before || before != last_words_ || used != words_used_) return false;
  for (std::size_t bin = 0; bin < bin_count; ++bin) {
    const bool marked = (bins_with_blocks_[bin / 64] >> (bin % 64) & 1U) != 0;
    if (marked != (bins_[bin] != 0)) return false;
    for (Handle block = bins_[bin]; block != 0; block = head(block).next) {
      if (in_use(block) || bin_of(head(block).words) != bin || free_blocks-- == 0) return false;
    }
  }
  return free_blocks == 0;
}

}  // namespace sotto
