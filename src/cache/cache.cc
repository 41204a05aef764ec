#include "cache/cache.h"

#include <algorithm>
#include <cassert>
#include <memory>

#include "base/hash.h"
#include "dns/name.h"
#include "dns/wire.h"

namespace sotto {
namespace {

constexpr Tick to_ticks(Duration duration) {
  return static_cast<Tick>(duration / tick_length);
}

// RFC 8767 §4 to §6, RFC 8914 §4.4 and §4.20.
void make_stale(Answer& answer, const Question& question) {
  set_ttls(answer.message, question, stale_ttl);
  answer.ttl_min = stale_ttl;
  std::uint8_t* const flags = answer.message.data() + 2;
  store16(flags, load16(flags) & static_cast<std::uint16_t>(~flag::authentic_data));
  const bool no_name = answer.rcode == rcode::nxdomain;
  answer.extended_error =
      ExtendedError{.code = no_name ? ede::stale_nxdomain : ede::stale_answer, .text = {}};
}

static_assert(std::max(failure_hold_max, stale_recheck) <= Usefulness::hold_max * tick_length);

// What was tried while the answer was fresh says little about what an upstream says now.
bool held_since_expiry(const EntryHead& head) {
  const Tick began = head.recheck - to_ticks(stale_recheck);
  return began - head.stored >= std::uint64_t{head.ttl} * ticks_per_second;
}

// Twice as long each time, RFC 9520 §3.2.
Duration failure_hold(std::uint8_t failures) {
  Duration hold = failure_hold_min;
  for (std::uint8_t i = 1; i < failures && hold < failure_hold_max; ++i) hold *= 2;
  return std::min(hold, failure_hold_max);
}

}  // namespace

Cache::Cache(std::size_t octets, Instant now, Random& random)
    : seed_(random.next64()), clock_(now), memory_(octets / shard_octets * shard_octets) {
  const std::size_t count = octets / shard_octets;
  Shard* const shards = std::allocator<Shard>().allocate(count);
  for (std::size_t at = 0; at < count; ++at) {
    std::construct_at(shards + at, memory_.at(at * shard_octets), seed_);
  }
  shards_ = {shards, count};
}

Cache::~Cache() {
  std::destroy(shards_.begin(), shards_.end());
  std::allocator<Shard>().deallocate(shards_.data(), shards_.size());
}

std::uint64_t Cache::hash(const Question& question) const {
  return keyed_hash(question.key(), seed_);
}

Shard& Cache::shard_of(std::uint64_t hash) const {
  return shards_[static_cast<std::size_t>(((hash >> 32U) * shards_.size()) >> 32U)];
}

bool Cache::is_held(const EntryHead& head, const Usefulness& useful) const {
  return head.epoch == epoch_.load(std::memory_order_relaxed) && useful.held(head);
}

void Cache::set_stale_max_age(Duration age) {
  stale_max_age_.store(
      static_cast<std::uint32_t>(std::min(age, CacheClock::age_max) / std::chrono::seconds{1}));
}

Cache::Found Cache::find(const Question& question, std::uint64_t hash, Instant now,
                         Answer& answer) {
  EntryHead head;
  if (shards_.empty() || !shard_of(hash).find(question, hash, head, answer)) return {};
  const Usefulness useful = useful_at(now);
  if (head.failure != 0) {
    if (!is_held(head, useful)) return {};
    answer.ttl_min = 0;
    if (!answer.extended_error) {
      answer.extended_error = ExtendedError{.code = ede::cached_error, .text = {}};
    }
    return {.state = State::failure, .refresh_due = false};
  }
  if (useful.fresh(head)) {
    age_ttls(answer.message, question, useful.age(head));
    answer.ttl_min = head.ttl - useful.age(head);
    return {.state = State::fresh, .refresh_due = is_refresh_due(head, useful)};
  }
  if (!useful.any(head)) return {};
  make_stale(answer, question);
  return {.state = State::stale, .refresh_due = !is_held(head, useful) || !held_since_expiry(head)};
}

Cache::Placing Cache::place(const Question& question, std::uint64_t hash, Instant now,
                            std::span<std::uint8_t> message, PlacedMessage& placed) {
  EntryHead head;
  if (shards_.empty() || !shard_of(hash).find(question, hash, head, message)) {
    return Placing::absent;
  }
  const Usefulness useful = useful_at(now);
  const bool plain = head.failure == 0 && head.ede_octets == 0 && is_placed(head, message.size());
  if (!plain || !useful.fresh(head)) return Placing::other;
  placed = {.octets = header_octets + head.payload_octets,
            .rcode = head.rcode,
            .authentic = head.authentic != 0,
            .answers = head.answers,
            .authorities = head.authorities,
            .additionals = head.additionals};
  age_ttls(message.first(placed.octets), question, useful.age(head));
  return is_refresh_due(head, useful) ? Placing::refresh_due : Placing::fresh;
}

void Cache::prefetch(std::span<const std::uint64_t> hashes) const {
  if (shards_.empty()) return;
  std::array<const Shard*, prefetch_max> shards;
  assert(hashes.size() <= shards.size());
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    shards[i] = &shard_of(hashes[i]);
    shards[i]->prefetch();
  }
  for (std::size_t i = 0; i < hashes.size(); ++i) shards[i]->prefetch_slot(hashes[i]);
  for (std::size_t i = 0; i < hashes.size(); ++i) shards[i]->prefetch_entry(hashes[i]);
}

bool Cache::claim_refresh(const Question& question, std::uint64_t hash) {
  if (shards_.empty()) return false;
  Shard::Writer writer(shard_of(hash));
  const Handle entry = writer.find(question, hash);
  if (entry == 0) return false;
  EntryHead head = writer.head(entry);
  if (head.failure != 0 || head.claimed != 0) return false;
  head.claimed = 1;
  writer.set_head(entry, head);
  return true;
}

void Cache::store(const Question& question, std::uint64_t hash, const Answer& answer, Instant now,
                  std::uint32_t generation) {
  if (shards_.empty()) return;
  PackedEntry packed(question, answer);
  const Usefulness useful = useful_at(now);
  packed.head.stored = useful.now;
  Shard::Writer writer(shard_of(hash));
  if (flushed_since(generation, question)) return;
  writer.store(hash, packed, writer.find(question, hash), useful);
}

void Cache::supersede(const Question& question, std::uint64_t hash, Instant now) {
  if (shards_.empty()) return;
  Shard::Writer writer(shard_of(hash));
  const Handle known = writer.find(question, hash);
  if (known == 0) return;
  const EntryHead head = writer.head(known);
  if (head.failure != 0 || !useful_at(now).fresh(head)) writer.remove(known);
}

void Cache::hold_refresh(const Question& question, std::uint64_t hash, Instant now) {
  if (shards_.empty()) return;
  Shard::Writer writer(shard_of(hash));
  const Handle known = writer.find(question, hash);
  if (known != 0 && writer.head(known).failure == 0) hold_refresh(writer, known, now);
}

void Cache::hold_refresh(Shard::Writer& writer, Handle known, Instant now) {
  EntryHead head = writer.head(known);
  head.recheck = clock_.tick(now) + to_ticks(stale_recheck);
  head.epoch = epoch_.load();
  head.claimed = 0;
  writer.set_head(known, head);
}

void Cache::store_failure(const Question& question, std::uint64_t hash, const Answer& failure,
                          FailureOrigin origin, Instant now, std::uint32_t generation) {
  if (shards_.empty()) return;
  PackedEntry packed(question, without_records(question, failure));
  const Usefulness useful = useful_at(now);
  Shard::Writer writer(shard_of(hash));
  if (flushed_since(generation, question)) return;
  const Handle known = writer.find(question, hash);
  std::uint8_t failures = 0;
  if (known != 0) {
    const EntryHead head = writer.head(known);
    const bool stands = origin == FailureOrigin::refusal ? useful.fresh(head) : useful.any(head);
    if (head.failure == 0 && stands) return hold_refresh(writer, known, now);
    if (head.failure != 0 && useful.any(head) && head.epoch == epoch_.load()) {
      failures = head.failures;
    }
  }
  constexpr std::uint8_t failures_max = 16;  // where the hold has long stopped to grow
  const bool own = origin == FailureOrigin::own;
  packed.head.failure = 1;
  packed.head.stored = useful.now;
  packed.head.failures =
      own ? failures : static_cast<std::uint8_t>(std::min<int>(failures + 1, failures_max));
  packed.head.epoch = epoch_.load();
  packed.head.recheck =
      useful.now + to_ticks(own ? failure_hold_min : failure_hold(packed.head.failures));
  writer.store(hash, packed, known, useful);
}

bool Cache::restore(const Question& question, const Answer& answer, Duration age, Instant now,
                    std::uint32_t generation) {
  if (shards_.empty() || age < Duration{0}) return false;
  PackedEntry packed(question, answer);
  const Usefulness useful = useful_at(now);
  packed.head.stored = clock_.tick_before(now, age);
  if (!useful.any(packed.head)) return false;
  const std::uint64_t hash = this->hash(question);
  Shard::Writer writer(shard_of(hash));
  if (flushed_since(generation, question) || writer.find(question, hash) != 0) return false;
  writer.store(hash, packed, 0, useful);
  return true;
}

// --- for operators ------------------------------------------------------------------------------

bool Cache::was_flushed(std::uint32_t generation, const Question& question) const {
  const std::lock_guard lock(flushes_mutex_);
  const std::uint32_t latest = generation_.load();
  if (latest - generation > flushes_known) return true;
  for (std::uint32_t at = generation; at != latest; ++at) {
    const Flush& flush = flushes_[at % flushes_known];
    if (flush.below ? is_at_or_below(question.name(), flush.name.octets())
                    : equal_names(question.name(), flush.name.octets())) {
      return true;
    }
  }
  return false;
}

// Before anything is removed: what is stored from now on knows of it.
void Cache::note_flush(std::span<const std::uint8_t> name, bool below) {
  const std::lock_guard lock(flushes_mutex_);
  flushes_[generation_.load() % flushes_known] = {.name = Name::from_octets(name), .below = below};
  generation_.fetch_add(1);
}

std::size_t Cache::flush() {
  note_flush(Name().octets(), true);
  std::size_t removed = 0;
  for (Shard& shard : shards_) removed += Shard::Writer(shard).clear();
  return removed;
}

std::size_t Cache::flush(std::span<const std::uint8_t> name, bool below,
                         const std::function<void()>& give_way) {
  note_flush(name, below);
  const auto is_it = [name, below](std::span<const std::uint8_t> known) {
    return below ? is_at_or_below(known, name) : equal_names(known, name);
  };
  std::size_t removed = 0;
  for (Shard& shard : shards_) {
    std::uint32_t from = 0;
    while (!Shard::Writer(shard).remove_some(is_it, from, removed)) {
      if (give_way) give_way();
    }
  }
  return removed;
}

void Cache::visit(std::size_t shard, Instant now,
                  const std::function<void(const CachedEntry&)>& callback) const {
  const Shard::Copy copy = shards_[shard].copy();
  const Usefulness useful = useful_at(now);
  CachedEntry entry;
  for (const std::uint32_t at : copy.blocks) {
    EntryHead head;
    entry.question = entry_question(&copy.memory[at]);
    read_entry_answer(&copy.memory[at], head, entry.answer);
    entry.ttl = head.ttl;
    entry.age = useful.ticks(head) * tick_length;
    entry.failure = head.failure != 0;
    callback(entry);
  }
}

bool Cache::consistent() const {
  return std::all_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard.consistent(); });
}

CacheStats Cache::stats() const {
  CacheStats stats;
  stats.octets_max = shards_.size() * shard_octets;
  for (const Shard& shard : shards_) {
    const Shard::Totals totals = shard.totals();
    stats.entries += totals.entries;
    stats.octets += totals.octets;
    stats.stored += totals.stored;
    stats.evicted += totals.evicted;
  }
  return stats;
}

}  // namespace sotto
