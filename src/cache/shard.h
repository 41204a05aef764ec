// A part of the cache: an index, an arena and the SIEVE order over half a mebibyte of its own.
// Found without a lock: a reader copies what it finds, then checks by the shard's version that
// nobody wrote meanwhile (a sequence lock). Writers hold the shard's mutex.
// Test: tests/unit/cache/shard_test.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/arena.h"
#include "cache/entry.h"

namespace sotto {

// Small enough that nothing done to a whole shard lasts a millisecond, large enough that the
// largest answer is a small part of it, and that two octets tell a place in it.
inline constexpr std::size_t shard_octets = std::size_t{512} * 1'024;

// The fields a reader needs come first, in a cache line that writers of other shards leave alone.
class alignas(64) Shard {
 public:
  static constexpr std::uint32_t index_slots_min = 64;
  static constexpr std::uint32_t index_slots_max = 8'192;

  // memory: shard_octets of zeros on pages of its own, outlives the shard. Touches none of it yet.
  // seed: of the hash of questions.
  Shard(Word* memory, std::uint64_t seed);

  // Finds question's entry and fills head and answer as read_entry() does; marks it as found.
  bool find(const Question& question, std::uint64_t hash, EntryHead& head, Answer& answer);
  // The same, into a message.
  bool find(const Question& question, std::uint64_t hash, EntryHead& head,
            std::span<std::uint8_t> message);
  // Has the memory that find() will look at fetched, one step at a time; each step's memory tells
  // where the next one's is.
  void prefetch() const { __builtin_prefetch(this); }
  void prefetch_slot(std::uint64_t hash) const;
  void prefetch_entry(std::uint64_t hash) const;

  // Everything that changes a shard, or wants it unchanged, goes through one of these.
  class Writer;

  struct Totals {
    std::uint64_t entries = 0;
    std::uint64_t octets = 0;  // in use, the index and the shard itself included
    std::uint64_t stored = 0;
    std::uint64_t evicted = 0;
  };
  Totals totals() const;

  // All entries as they are now, to look at without the mutex.
  struct Copy {
    std::unique_ptr<Word[]> memory;     // NOLINT: as many words as were in use
    std::vector<std::uint32_t> blocks;  // places of entries in memory
  };
  Copy copy() const;

  // Is everything as it says? For tests.
  bool consistent() const;

 private:
  // Of the index: an entry's handle, 15 bits of its hash, and SIEVE's mark, which says that it was
  // found since the hand last came by. 0: free.
  using Slot = std::atomic<std::uint32_t>;
  static constexpr std::uint32_t slot_mark = 1;
  static constexpr std::uint32_t slot_tag = 0xFFFE;

  enum class Look : std::uint8_t { found, absent, disturbed };
  struct Place {
    std::uint32_t slot = 0;
    std::uint32_t value = 0;
  };
  // To: Answer, or the octets of a message; which of entry.h's functions reads goes by it.
  template <class To>
  Look look(const Question& question, std::uint64_t hash, EntryHead& head, To& to,
            Place& place) const;
  template <class To>
  [[gnu::noinline]] Look look_again(const Question& question, std::uint64_t hash, EntryHead& head,
                                    To& to, Place& place) const;
  template <class To>
  bool find_to(const Question& question, std::uint64_t hash, EntryHead& head, To& to);
  static std::uint32_t home(std::uint64_t hash, std::uint32_t slots);
  static std::uint32_t slot_value(std::uint64_t hash, Handle entry);

  std::uint64_t hash_of(Handle entry) const;

  std::atomic<std::uint32_t> version_{0};  // odd while somebody writes
  std::atomic<std::uint32_t> slots_{0};    // the index's size, a power of two, or 0
  Word* memory_;
  Slot* index_;
  const std::uint64_t seed_;
  mutable std::mutex mutex_;
  Arena arena_;
  std::uint32_t entries_ = 0;
  Handle newest_ = 0;
  Handle oldest_ = 0;
  Handle hand_ = 0;  // SIEVE's: where it looks next, from the oldest to the newest
  std::uint64_t stored_ = 0;
  std::uint64_t evicted_ = 0;
};

// Holds the mutex as long as it lives. Readers that come by while something was changed try again.
class Shard::Writer {
 public:
  explicit Writer(Shard& shard) : shard_(shard), lock_(shard.mutex_) {}
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // 0 if it is not there. Valid as long as nothing is stored or removed.
  Handle find(const Question& question, std::uint64_t hash) const;
  EntryHead head(Handle entry) const;
  void set_head(Handle entry, const EntryHead& head);
  // In place of old, if that is not 0; evicts what must go for it.
  void store(std::uint64_t hash, const PackedEntry& packed, Handle old, const Usefulness& useful);
  void remove(Handle entry);
  // Goes on where it stopped, beginning with from = 0: removes some of the entries for whose name
  // is_it(name) holds, and adds to removed. True once all have been looked at.
  template <class IsIt>
  bool remove_some(IsIt is_it, std::uint32_t& from, std::size_t& removed);
  // Removes everything and gives the memory back.
  std::size_t clear();

  // Of one remove_some(): they bound how long the mutex is held.
  static constexpr std::size_t removals_max = 64;
  static constexpr std::size_t looks_max = 1'024;

 private:
  void begin_change();
  std::uint32_t slot_of(Handle entry) const;
  void erase_slot(std::uint32_t slot);
  void insert_slot(std::uint64_t hash, std::uint32_t value);
  void grow_index();
  void link_newest(Handle entry);
  void unlink(Handle entry);
  std::uint32_t remove_block(Handle entry);
  Handle make_room(std::size_t words, const Usefulness& useful);
  Handle victim(const Usefulness& useful);

  Shard& shard_;
  std::lock_guard<std::mutex> lock_;
  bool changing_ = false;
};

// Blocks do not move; one that begins in front of from has been looked at, or is new.
template <class IsIt>
bool Shard::Writer::remove_some(IsIt is_it, std::uint32_t& from, std::size_t& removed) {
  std::vector<Handle> found;
  Arena& arena = shard_.arena_;
  Handle at = arena.first();
  while (at != 0 && at < from) at = arena.behind(at);
  for (std::size_t looks = 0; looks < looks_max && found.size() < removals_max && at != 0;
       ++looks, at = arena.behind(at)) {
    if (arena.in_use(at) && is_it(load_entry_key(shard_.memory_ + at).name())) {
      found.push_back(at);
    }
  }
  from = at;
  for (const Handle entry : found) remove(entry);
  removed += found.size();
  return at == 0;
}

}  // namespace sotto
