#include "cache/shard.h"

#include <array>
#include <sys/mman.h>

#include "base/hash.h"

namespace sotto {
namespace {

// The index comes first, so that no entry has the handle 0.
constexpr std::size_t slot_octets = sizeof(std::uint32_t);
constexpr std::uint32_t arena_begin = Shard::index_slots_max * slot_octets / word_octets;

// The shard's own fields count too: as many words less for entries.
constexpr std::uint32_t arena_end =
    shard_octets / word_octets - static_cast<std::uint32_t>(words_for(sizeof(Shard)));

constexpr int tries_without_lock = 4;

// What the hand looks at for one victim, so that a store never takes long. More than that are
// marked only when nearly everything is.
constexpr int sieve_steps_max = 512;

// Of slots, so that runs stay short.
constexpr bool crowded(std::size_t entries, std::size_t slots) {
  return entries * 5 >= slots * 4;
}

}  // namespace

Shard::Shard(Word* memory, std::uint64_t seed)
    : memory_(memory),
      index_(reinterpret_cast<Slot*>(memory)),
      seed_(seed),
      arena_(memory, arena_begin, arena_end) {}

// --- finding ------------------------------------------------------------------------------------

// Three disjoint parts of the hash tell the shard, the slot and an entry from its neighbours.
std::uint32_t Shard::home(std::uint64_t hash, std::uint32_t slots) {
  return static_cast<std::uint32_t>(((hash & 0xFFFF'FFFFU) * slots) >> 32U);
}

std::uint32_t Shard::slot_value(std::uint64_t hash, Handle entry) {
  return (std::uint32_t{entry} << 16U) | (static_cast<std::uint32_t>(hash >> 32U) & slot_tag);
}

template <class To>
inline Shard::Look Shard::look(const Question& question, std::uint64_t hash, EntryHead& head,
                               To& to, Place& place) const {
  const std::uint32_t version = version_.load(std::memory_order_acquire);
  if ((version & 1U) != 0) return Look::disturbed;
  const std::uint32_t slots = slots_.load(std::memory_order_acquire);
  const std::uint32_t tag = slot_value(hash, 0);
  Look result = Look::absent;
  std::uint32_t at = slots > 0 ? home(hash, slots) : 0;
  for (std::uint32_t probes = 0; probes < slots; ++probes, at = (at + 1) & (slots - 1)) {
    const std::uint32_t slot = index_[at].load(std::memory_order_acquire);
    if (slot == 0) break;
    if ((slot & slot_tag) != tag) continue;
    const auto entry = static_cast<Handle>(slot >> 16U);
    if (entry < arena_begin) return Look::disturbed;
    const EntryMatch match = read_entry(memory_ + entry, memory_ + arena_end, question, head, to);
    if (match == EntryMatch::torn) return Look::disturbed;
    if (match == EntryMatch::other) continue;
    place = {.slot = at, .value = slot};
    result = Look::found;
    break;
  }
  return version_.load(std::memory_order_relaxed) == version ? result : Look::disturbed;
}

// After somebody wrote here; whoever writes on and on is waited for.
template <class To>
Shard::Look Shard::look_again(const Question& question, std::uint64_t hash, EntryHead& head, To& to,
                              Place& place) const {
  for (int tries = 1; tries < tries_without_lock; ++tries) {
    const Look result = look(question, hash, head, to, place);
    if (result != Look::disturbed) return result;
  }
  const std::lock_guard lock(mutex_);
  const Look result = look(question, hash, head, to, place);
  assert(result != Look::disturbed);
  return result;
}

template <class To>
bool Shard::find_to(const Question& question, std::uint64_t hash, EntryHead& head, To& to) {
  Place place;
  Look result = look(question, hash, head, to, place);
  if (result == Look::disturbed) result = look_again(question, hash, head, to, place);
  if (result == Look::absent) return false;
  // Only a hint: if the slot changes meanwhile, it is not set.
  if ((place.value & slot_mark) == 0) {
    index_[place.slot].compare_exchange_strong(place.value, place.value | slot_mark,
                                               std::memory_order_relaxed);
  }
  return true;
}

bool Shard::find(const Question& question, std::uint64_t hash, EntryHead& head, Answer& answer) {
  return find_to(question, hash, head, answer);
}

bool Shard::find(const Question& question, std::uint64_t hash, EntryHead& head,
                 std::span<std::uint8_t> message) {
  return find_to(question, hash, head, message);
}

void Shard::prefetch_slot(std::uint64_t hash) const {
  __builtin_prefetch(&index_[home(hash, slots_.load(std::memory_order_relaxed))]);
}

void Shard::prefetch_entry(std::uint64_t hash) const {
  const std::uint32_t slots = slots_.load(std::memory_order_relaxed);
  const std::uint32_t tag = slot_value(hash, 0);
  std::uint32_t at = home(hash, slots);
  for (std::uint32_t probes = 0; probes < slots; ++probes, at = (at + 1) & (slots - 1)) {
    const std::uint32_t slot = index_[at].load(std::memory_order_relaxed);
    if (slot == 0) return;
    if ((slot & slot_tag) != tag) continue;
    // Most entries are a little longer than one cache line.
    __builtin_prefetch(memory_ + (slot >> 16U));
    __builtin_prefetch(memory_ + (slot >> 16U) + 8);
    return;
  }
}

std::uint64_t Shard::hash_of(Handle entry) const {
  return keyed_hash(load_entry_key(memory_ + entry).key(), seed_);
}

Shard::Totals Shard::totals() const {
  const std::lock_guard lock(mutex_);
  const std::size_t memory =
      slots_.load() == 0 ? 0 : slots_.load() * slot_octets + arena_.words_used() * word_octets;
  return {.entries = entries_,
          .octets = sizeof(Shard) + memory,
          .stored = stored_,
          .evicted = evicted_};
}

// The memory is taken, and touched, before the mutex is.
Shard::Copy Shard::copy() const {
  const std::uint32_t begin = arena_begin;
  Copy copy;
  copy.memory = std::make_unique<Word[]>(arena_end - begin);  // NOLINT
  copy.blocks.resize(index_slots_max);
  copy.blocks.clear();
  const std::lock_guard lock(mutex_);
  for (Handle at = arena_.first(); at != 0; at = arena_.behind(at)) {
    if (!arena_.in_use(at)) continue;
    copy.blocks.push_back(at - begin);
    const std::size_t words = arena_.head(at).words;
    for (std::size_t i = 0; i < words; ++i) {
      copy.memory[at - begin + i].store(load_word(memory_[at + i]), std::memory_order_relaxed);
    }
  }
  return copy;
}

bool Shard::consistent() const {
  const std::lock_guard lock(mutex_);
  if (!arena_.consistent()) return false;
  const std::uint32_t slots = slots_.load();
  std::size_t occupied = 0;
  for (std::uint32_t at = 0; at < slots; ++at) {
    const std::uint32_t slot = index_[at].load();
    if (slot == 0) continue;
    ++occupied;
    const auto entry = static_cast<Handle>(slot >> 16U);
    const std::uint64_t hash = hash_of(entry);
    if ((slot & ~slot_mark) != slot_value(hash, entry)) return false;
    for (std::uint32_t run = home(hash, slots); run != at; run = (run + 1) & (slots - 1)) {
      if (index_[run].load() == 0) return false;
    }
  }
  std::size_t linked = 0;
  Handle older = 0;
  bool hand_seen = hand_ == 0;
  for (Handle at = oldest_; at != 0 && linked <= entries_; at = arena_.head(at).next) {
    if (arena_.head(at).previous != older || !arena_.in_use(at)) return false;
    hand_seen = hand_seen || at == hand_;
    older = at;
    ++linked;
  }
  return occupied == entries_ && linked == entries_ && older == newest_ && hand_seen;
}

// --- the index ----------------------------------------------------------------------------------

Shard::Writer::~Writer() {
  if (!changing_) return;
  shard_.version_.store(shard_.version_.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
}

void Shard::Writer::begin_change() {
  if (changing_) return;
  changing_ = true;
  shard_.version_.store(shard_.version_.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
}

Handle Shard::Writer::find(const Question& question, std::uint64_t hash) const {
  const std::uint32_t slots = shard_.slots_.load(std::memory_order_relaxed);
  if (slots == 0) return 0;
  const std::uint32_t tag = slot_value(hash, 0);
  for (std::uint32_t at = home(hash, slots);; at = (at + 1) & (slots - 1)) {
    const std::uint32_t slot = shard_.index_[at].load(std::memory_order_relaxed);
    if (slot == 0) return 0;
    const auto entry = static_cast<Handle>(slot >> 16U);
    if ((slot & slot_tag) != tag) continue;
    const EntryKey key = load_entry_key(shard_.memory_ + entry);
    if (std::ranges::equal(key.key(), question.key())) return entry;
  }
}

std::uint32_t Shard::Writer::slot_of(Handle entry) const {
  const std::uint32_t slots = shard_.slots_.load(std::memory_order_relaxed);
  const std::uint64_t hash = shard_.hash_of(entry);
  std::uint32_t at = home(hash, slots);
  while ((shard_.index_[at].load(std::memory_order_relaxed) >> 16U) != entry) {
    assert(shard_.index_[at].load(std::memory_order_relaxed) != 0);
    at = (at + 1) & (slots - 1);
  }
  return at;
}

// Moves later members of the run back, so that each stays reachable from its home.
void Shard::Writer::erase_slot(std::uint32_t hole) {
  const std::uint32_t mask = shard_.slots_.load(std::memory_order_relaxed) - 1;
  for (std::uint32_t at = (hole + 1) & mask;; at = (at + 1) & mask) {
    const std::uint32_t slot = shard_.index_[at].load(std::memory_order_relaxed);
    if (slot == 0) break;
    const std::uint64_t hash = shard_.hash_of(static_cast<Handle>(slot >> 16U));
    const std::uint32_t from_home = (at - home(hash, mask + 1)) & mask;
    if (from_home < ((at - hole) & mask)) continue;
    shard_.index_[hole].store(slot, std::memory_order_release);
    hole = at;
  }
  shard_.index_[hole].store(0, std::memory_order_release);
}

void Shard::Writer::insert_slot(std::uint64_t hash, std::uint32_t value) {
  const std::uint32_t mask = shard_.slots_.load(std::memory_order_relaxed) - 1;
  std::uint32_t at = home(hash, mask + 1);
  while (shard_.index_[at].load(std::memory_order_relaxed) != 0) at = (at + 1) & mask;
  shard_.index_[at].store(value, std::memory_order_release);
}

// In place: readers never hold on to an index that is gone.
void Shard::Writer::grow_index() {
  const std::uint32_t slots = shard_.slots_.load(std::memory_order_relaxed);
  std::array<std::uint32_t, index_slots_max / 2> old;
  for (std::uint32_t at = 0; at < slots; ++at) {
    old[at] = shard_.index_[at].load(std::memory_order_relaxed);
    shard_.index_[at].store(0, std::memory_order_release);
  }
  shard_.slots_.store(slots == 0 ? index_slots_min : slots * 2, std::memory_order_release);
  for (std::uint32_t at = 0; at < slots; ++at) {
    if (old[at] == 0) continue;
    insert_slot(shard_.hash_of(static_cast<Handle>(old[at] >> 16U)), old[at]);
  }
}

// --- entries ------------------------------------------------------------------------------------

EntryHead Shard::Writer::head(Handle entry) const {
  return load_entry_head(shard_.memory_ + entry);
}

void Shard::Writer::set_head(Handle entry, const EntryHead& head) {
  begin_change();
  store_entry_head(shard_.memory_ + entry, head);
}

void Shard::Writer::link_newest(Handle entry) {
  shard_.arena_.set_links(entry, 0, shard_.newest_);
  if (shard_.newest_ != 0) {
    shard_.arena_.set_links(shard_.newest_, entry, shard_.arena_.head(shard_.newest_).previous);
  } else {
    shard_.oldest_ = entry;
  }
  shard_.newest_ = entry;
}

void Shard::Writer::unlink(Handle entry) {
  Arena& arena = shard_.arena_;
  const BlockHead own = arena.head(entry);
  if (own.next != 0) {
    arena.set_links(own.next, arena.head(own.next).next, own.previous);
  } else {
    shard_.newest_ = own.previous;
  }
  if (own.previous != 0) {
    arena.set_links(own.previous, own.next, arena.head(own.previous).previous);
  } else {
    shard_.oldest_ = own.next;
  }
  if (shard_.hand_ == entry) shard_.hand_ = own.next;
}

std::uint32_t Shard::Writer::remove_block(Handle entry) {
  begin_change();
  erase_slot(slot_of(entry));
  unlink(entry);
  --shard_.entries_;
  return shard_.arena_.release(entry);
}

void Shard::Writer::remove(Handle entry) {
  remove_block(entry);
}

void Shard::Writer::store(std::uint64_t hash, const PackedEntry& packed, Handle old,
                          const Usefulness& useful) {
  constexpr std::size_t words_to_spare = 4;
  begin_change();
  const std::size_t words = entry_words(packed.head);
  ++shard_.stored_;
  if (old != 0) {
    // The usual refresh: same size, same place in the order.
    const std::size_t room = shard_.arena_.head(old).words;
    if (room >= words && room < words + words_to_spare) {
      packed.store(shard_.memory_ + old);
      return;
    }
    remove_block(old);
  }
  const Handle entry = make_room(words, useful);
  packed.store(shard_.memory_ + entry);
  if (crowded(shard_.entries_ + 1, shard_.slots_.load(std::memory_order_relaxed))) grow_index();
  insert_slot(hash, slot_value(hash, entry));
  link_newest(entry);
  ++shard_.entries_;
}

std::size_t Shard::Writer::clear() {
  if (shard_.slots_.load(std::memory_order_relaxed) == 0) return 0;
  begin_change();
  const std::size_t removed = shard_.entries_;
  shard_.slots_.store(0, std::memory_order_release);
  shard_.entries_ = 0;
  shard_.newest_ = shard_.oldest_ = shard_.hand_ = 0;
  shard_.arena_.reset();
  [[maybe_unused]] const int done = ::madvise(shard_.memory_, shard_octets, MADV_DONTNEED);
  assert(done == 0);
  return removed;
}

// --- room ---------------------------------------------------------------------------------------

// Never fails: the largest entry is a part of an empty shard.
Handle Shard::Writer::make_room(std::size_t words, const Usefulness& useful) {
  constexpr int victims_max = 8;
  static_assert(entry_words_max < (arena_end - arena_begin) / 4);
  Arena& arena = shard_.arena_;
  if (crowded(shard_.entries_ + 1, index_slots_max)) {
    ++shard_.evicted_;
    remove_block(victim(useful));
  }
  Handle room = arena.allocate(words);
  std::uint32_t hole = 0;
  for (int victims = 0; room == 0 && victims < victims_max && shard_.entries_ > 0; ++victims) {
    ++shard_.evicted_;
    hole = remove_block(victim(useful));
    room = arena.allocate(words);
  }
  // Holes all over the place are no room for a large one: what stands behind the last one goes too.
  while (room == 0) {
    Handle behind = hole < arena.top() ? arena.behind(static_cast<Handle>(hole)) : Handle{0};
    if (behind == 0) behind = arena.first();
    if (!arena.in_use(behind)) behind = arena.behind(behind);
    ++shard_.evicted_;
    hole = remove_block(behind);
    room = arena.allocate(words);
  }
  return room;
}

// SIEVE: from where the hand stopped towards newer entries; what was found since it last came by
// loses its mark and stays where it is.
Handle Shard::Writer::victim(const Usefulness& useful) {
  Handle at = shard_.hand_ != 0 ? shard_.hand_ : shard_.oldest_;
  for (int steps = 0; steps < sieve_steps_max; ++steps) {
    Slot& slot = shard_.index_[slot_of(at)];
    const std::uint32_t value = slot.load(std::memory_order_relaxed);
    if ((value & slot_mark) == 0 || !useful.any(head(at))) break;
    slot.store(value & ~slot_mark, std::memory_order_release);
    at = shard_.arena_.head(at).next;
    if (at == 0) at = shard_.oldest_;
  }
  shard_.hand_ = at;
  return at;
}

}  // namespace sotto
