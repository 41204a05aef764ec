// An entry of the cache in memory: a fixed head, then the question and records as they stand in a
// message, the RRsets' ends, the upstream's EDE. One block of words, written whole.
// Test: tests/unit/cache/cache_test.cc.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "cache/cache_clock.h"
#include "cache/words.h"
#include "dns/answer.h"
#include "dns/question.h"

namespace sotto {

struct EntryHead {
  std::uint16_t payload_octets = 0;  // name, type, class, records: never 0, see Arena::in_use()
  std::uint16_t rrset_words = 0;     // RRsets' ends, one word each; 0: the last one only
  std::uint32_t scope = 0;           // of the question
  Tick stored = 0;
  std::uint32_t ttl = 0;      // seconds of life from then
  Tick recheck = 0;           // a stale answer or a failure is given until then without asking …
  std::uint16_t epoch = 0;    // … unless all upstreams failed and came back since
  std::uint8_t failures = 0;  // in a row
  std::uint8_t ede_octets = 0;  // code and text; 0: none
  std::uint16_t rcode : 12 = 0;
  std::uint16_t failure : 1 = 0;    // no answer, but a remembered failure
  std::uint16_t authentic : 1 = 0;  // AD
  std::uint16_t claimed : 1 = 0;    // somebody refreshes it
  std::uint16_t unused : 1 = 0;
  std::uint16_t answers = 0;
  std::uint16_t authorities = 0;
  std::uint16_t additionals = 0;
};

inline constexpr std::size_t block_head_words = 1;
inline constexpr std::size_t entry_head_words = words_for(sizeof(EntryHead));
inline constexpr std::size_t entry_prefix_words = block_head_words + entry_head_words;
static_assert(sizeof(EntryHead) == 32);

// RRsets' ends are kept where a response may be cut: up to what fits a datagram, and right below
// the longest message, where OPT may want the room.
inline constexpr std::size_t whole_message_octets = message_octets_max - 128;
// What a stranger's answer can need at most: records of eleven octets, each an RRset of its own.
inline constexpr std::size_t entry_words_max =
    entry_prefix_words + words_for(message_octets_max) +
    (edns_udp_octets_max + message_octets_max - whole_message_octets) / 11 + 2 +
    words_for(2 + ede_text_octets_max);

// Words of a whole entry, the block's head included.
constexpr std::size_t entry_words(const EntryHead& head) {
  return entry_prefix_words + words_for(head.payload_octets) + head.rrset_words +
         words_for(head.ede_octets);
}

// Which entries may still be given, at one moment.
struct Usefulness {
  Tick now = 0;
  std::uint32_t stale_max_age = 0;  // seconds

  // Another thread's clock may have been read a moment later. Of all other times the nearest past
  // is meant: an entry that nobody asks for may lie here for years.
  Tick ticks(const EntryHead& head) const {
    const Tick since = now - head.stored;
    return since <= UINT32_MAX - hold_max ? since : 0;
  }
  std::uint32_t age(const EntryHead& head) const { return ticks(head) / ticks_per_second; }
  bool fresh(const EntryHead& head) const { return age(head) < head.ttl; }
  bool held(const EntryHead& head) const { return is_ahead(head.recheck, 2 * hold_max); }
  // A failure is of use beyond its hold: it says how long to hold the next one.
  bool any(const EntryHead& head) const {
    if (head.failure == 0) return age(head) < std::uint64_t{head.ttl} + stale_max_age;
    return is_ahead(head.recheck + failure_memory, 2 * hold_max + failure_memory);
  }

  static constexpr Tick hold_max = 300 * ticks_per_second;
  static constexpr Tick failure_memory = 300 * ticks_per_second;

 private:
  bool is_ahead(Tick time, Tick ahead_max) const { return time - now - 1 < ahead_max; }
};

inline void load_entry_head(const Word* block, EntryHead& head) {
  copy_whole_words(block + block_head_words, reinterpret_cast<std::uint8_t*>(&head),
                   entry_head_words);
}
inline EntryHead load_entry_head(const Word* block) {
  EntryHead head;
  load_entry_head(block, head);
  return head;
}
void store_entry_head(Word* block, const EntryHead& head);

// An entry about to be stored; large, so built where it is needed and not passed by value.
struct PackedEntry {
  EntryHead head;
  std::array<std::uint64_t, entry_words_max> body;  // what follows the head; left uninitialised

  // head's times stay zero.
  PackedEntry(const Question& question, const Answer& answer);
  void store(Word* block) const;
};

// A failure in the form of an answer without records: its RCODE and EDE.
Answer without_records(const Question& question, const Answer& failure);

enum class EntryMatch : std::uint8_t {
  same,   // what was asked for is filled: the message as it was stored, TTLs not aged
  other,  // another question's entry
  torn,   // somebody writes here; what was read means nothing
};
// Copies the entry at block if it is question's. Reads nothing at or behind end. The entry may be
// written meanwhile: whoever calls checks that it was not, before what was copied is used.
EntryMatch read_entry(const Word* block, const Word* end, const Question& question, EntryHead& head,
                      Answer& answer);

// The same for question and records only, which go right where a message has them, behind the room
// for its header. They are all there if is_placed(); else what was written means nothing.
EntryMatch read_entry(const Word* block, const Word* end, const Question& question, EntryHead& head,
                      std::span<std::uint8_t> message);
// Whole words are written.
constexpr bool is_placed(const EntryHead& head, std::size_t message_octets) {
  return header_octets + words_for(head.payload_octets) * word_octets <= message_octets;
}

// The key of the question of an entry nobody writes to, as Question::key() has it.
struct EntryKey {
  std::array<std::uint8_t, name_octets_max + 8> octets;
  std::size_t name_octets = 0;

  std::span<const std::uint8_t> name() const { return {octets.data(), name_octets}; }
  std::span<const std::uint8_t> key() const { return {octets.data(), name_octets + 8}; }
};
EntryKey load_entry_key(const Word* block);

// The question of an entry nobody writes to.
Question entry_question(const Word* block);
// … and its answer, TTLs not aged.
void read_entry_answer(const Word* block, EntryHead& head, Answer& answer);

// Seconds of age come off every TTL of a message; each must be large enough.
void age_ttls(std::span<std::uint8_t> message, const Question& question, std::uint32_t seconds);
void set_ttls(std::span<std::uint8_t> message, const Question& question, std::uint32_t ttl);

}  // namespace sotto
