// Answers kept, shared by all workers: found without a lock, stored under a short one, evicted by
// SIEVE within a budget that counts everything. Tests: tests/unit/cache/cache_test.cc,
// tests/unit/cache/cache_model_test.cc. Benchmark: tests/bench/cache_bench.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>

#include "base/clock.h"
#include "base/random.h"
#include "cache/address_space.h"
#include "cache/cache_clock.h"
#include "cache/shard.h"
#include "dns/answer.h"
#include "dns/name.h"
#include "dns/question.h"
#include "dns/response.h"

namespace sotto {

// RFC 8767 §5.11 and §4.
inline constexpr std::uint32_t stale_ttl = 30;  // seconds, in stale answers
// A name whose refresh failed or lasts is not asked about again for this long, unless it expires.
inline constexpr Duration stale_recheck = std::chrono::seconds{30};
// RFC 9520 §3.2: a failure is remembered at least this long; twice as long each time …
inline constexpr Duration failure_hold_min = std::chrono::seconds{1};
// … up to this, if it is what the upstream itself said.
inline constexpr Duration failure_hold_max = std::chrono::minutes{5};

struct CacheStats {
  std::uint64_t entries = 0;
  std::uint64_t octets = 0;  // in use, all overhead included
  std::uint64_t octets_max = 0;
  std::uint64_t stored = 0;
  std::uint64_t evicted = 0;  // for lack of room
};

// An entry as it was stored, for showing and saving.
struct CachedEntry {
  Question question;
  Answer answer;          // TTLs as they were when it was stored; a failure has no records
  Duration age{};         // since it was stored
  std::uint32_t ttl = 0;  // seconds it is fresh from when it was stored
  bool failure = false;   // a remembered failure, not an answer
};

class Cache {
 public:
  // octets: the budget, rounded down to whole shards; 0 keeps nothing. Only reserves address space:
  // memory is taken as the cache fills. Throws std::bad_alloc.
  Cache(std::size_t octets, Instant now, Random& random);

  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  bool keeps_anything() const { return !shards_.empty(); }

  // Keyed with a secret of this process.
  std::uint64_t hash(const Question& question) const;

  enum class State : std::uint8_t {
    absent,
    fresh,
    stale,    // past its TTL, within stale_max_age
    failure,  // the upstream failed lately; the answer says how
  };
  struct Found {
    State state = State::absent;
    // fresh: in the last tenth of its life and not yet claimed, see claim_refresh(). stale: nobody
    // has asked upstream about it within stale_recheck.
    bool refresh_due = false;
  };
  // answer: filled unless absent, as it is to be given now: TTLs aged; a stale one with stale_ttl,
  // without AD, with EDE 3 or 19. Thread-safe, without a lock.
  Found find(const Question& question, std::uint64_t hash, Instant now, Answer& answer);

  enum class Placing : std::uint8_t {
    absent,
    fresh,        // placed
    refresh_due,  // placed, and due as Found has it
    other,        // something is known that only find() can tell
  };
  // The usual case of find(), without a copy in between: a fresh answer without EDE is written
  // where a response has it, TTLs aged. message: room for the header, question and records, at
  // least plain_udp_octets_max less OPT; all of it may be written to.
  Placing place(const Question& question, std::uint64_t hash, Instant now,
                std::span<std::uint8_t> message, PlacedMessage& placed);

  // Has the memory fetched that place() and find() look at for these hashes: in a batch, the waits
  // for it overlap. At most prefetch_max.
  static constexpr std::size_t prefetch_max = 16;
  void prefetch(std::span<const std::uint64_t> hashes) const;

  // True for one caller per stored answer: that one refreshes it. Thread-safe, like all below.
  bool claim_refresh(const Question& question, std::uint64_t hash);

  // Changes with every flush: take it when an exchange starts, hand it back with its result.
  std::uint32_t generation() const { return generation_.load(); }
  // Was this question flushed after this generation was taken?
  bool flushed_since(std::uint32_t generation, const Question& question) const {
    return generation != generation_.load() && was_flushed(generation, question);
  }
  // Keeps an answer that apply_ttl_rules() allows, in place of what was known of this question.
  void store(const Question& question, std::uint64_t hash, const Answer& answer, Instant now,
             std::uint32_t generation);
  // An upstream answered with what is not kept: it takes the place of what has expired, and the
  // next failure is the first one again (RFC 8767 §4).
  void supersede(const Question& question, std::uint64_t hash, Instant now);
  // The refresh of an answer failed or lasts: it is not tried again for stale_recheck; a stale one
  // is given without asking, one that expires meanwhile is asked about.
  void hold_refresh(const Question& question, std::uint64_t hash, Instant now);
  enum class FailureOrigin : std::uint8_t {
    own,       // no upstream answered
    upstream,  // it said so: SERVFAIL, REFUSED, …
    refusal,   // … on purpose (Answer::is_deliberate()), so nothing stale stands in for it
  };
  // Remembers a failure: beside a stored answer that may still be given, else by itself.
  // failure: as the upstream said it, or as we do.
  void store_failure(const Question& question, std::uint64_t hash, const Answer& failure,
                     FailureOrigin origin, Instant now, std::uint32_t generation);

  // After all upstreams had failed one works again: what failed then is no longer held.
  void forget_failures() { epoch_.fetch_add(1); }

  // 0: stale answers are never given.
  void set_stale_max_age(Duration age);
  bool gives_stale() const { return keeps_anything() && stale_max_age_.load() > 0; }

  // Forgets everything, or one name (all types), or it and all names below it; returns how many
  // entries. Incremental: no other thread waits for more than a part of one shard, if give_way,
  // called between the parts, lets it go first.
  std::size_t flush();
  std::size_t flush(std::span<const std::uint8_t> name, bool below,
                    const std::function<void()>& give_way = {});
  // For saving and showing: calls back for each entry of one shard, without holding its lock.
  std::size_t shards() const { return shards_.size(); }
  void visit(std::size_t shard, Instant now,
             const std::function<void(const CachedEntry&)>& callback) const;
  // Takes up an entry saved before, unless something is known of its question already; false if
  // there was no point in it. answer's TTLs are those of when it was stored, age ago.
  bool restore(const Question& question, const Answer& answer, Duration age, Instant now,
               std::uint32_t generation);

  CacheStats stats() const;
  // Is everything as it says? For tests.
  bool consistent() const;

 private:
  Shard& shard_of(std::uint64_t hash) const;
  Usefulness useful_at(Instant now) const {
    return {.now = clock_.tick(now),
            .stale_max_age = stale_max_age_.load(std::memory_order_relaxed)};
  }
  bool is_held(const EntryHead& head, const Usefulness& useful) const;
  // Of a fresh one: somebody still asks for what is about to run out.
  bool is_refresh_due(const EntryHead& head, const Usefulness& useful) const {
    const bool last_tenth =
        std::uint64_t{useful.ticks(head)} * 10 >= std::uint64_t{head.ttl} * ticks_per_second * 9;
    return last_tenth && head.claimed == 0 && !is_held(head, useful);
  }
  void hold_refresh(Shard::Writer& writer, Handle known, Instant now);
  bool was_flushed(std::uint32_t generation, const Question& question) const;
  void note_flush(std::span<const std::uint8_t> name, bool below);

  const std::uint64_t seed_;
  const CacheClock clock_;
  std::atomic<std::uint32_t> stale_max_age_{86'400};  // seconds
  // The last flushes, by generation: what was not flushed need not be forgotten.
  struct Flush {
    Name name;
    bool below = true;
  };
  static constexpr std::size_t flushes_known = 64;
  mutable std::mutex flushes_mutex_;
  std::array<Flush, flushes_known> flushes_;
  std::atomic<std::uint32_t> generation_{0};
  std::atomic<std::uint16_t> epoch_{0};
  AddressSpace memory_;
  std::span<Shard> shards_;
};

}  // namespace sotto
