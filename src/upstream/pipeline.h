// Many queries on one stream: unpredictable IDs, two octets of length before each message,
// responses matched by ID and question in any order (RFC 7766 §6.2.1.1, §7; RFC 5452 §9.1). Test:
// tests/unit/upstream/pipeline_test.cc (against a naive model).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/probe_table.h"
#include "base/random.h"
#include "base/slot_map.h"
#include "dns/question.h"
#include "upstream/ids.h"

namespace sotto {

// RFC 7766 §7 matches responses by ID. Far more than half of the ID space stays free, so a random
// ID hardly ever collides with one in use.
inline constexpr std::size_t pipeline_queries_max = 1'024;
// Queries given up but never answered keep their IDs. A connection that has this many serves badly.
inline constexpr std::size_t pipeline_abandoned_max = 256;

class Pipeline {
 public:
  // Is there room for one more? Abandoned queries take room too, as their IDs may still be
  // answered.
  bool full() const { return slots_.size() >= pipeline_queries_max; }
  std::size_t outstanding() const { return slots_.size() - abandoned_; }
  std::size_t abandoned() const { return abandoned_; }

  // Appends the framed query to output. Not when full().
  PipelineSlotId add(ExchangeId exchange, const Question& question, const QueryShape& shape,
                     Instant now, Random& random, std::vector<std::uint8_t>& output);

  enum class Verdict : std::uint8_t {
    matched,     // the answer to exchange's query
    late,        // the right answer to a query that was given up; its ID is free again
    mismatched,  // the ID of exchange's query but not its question, or too short to tell, or its
                 // question under an ID that nobody waits for; the right answer may still come
    unasked,     // nobody's
    refusal,  // the ID of exchange's query and a failure that repeats no question: the server did
              // not look at what was asked
  };
  struct Match {
    Verdict verdict;
    ExchangeId exchange;  // unless unasked
    Instant sent;         // when the query was added
    PipelineSlotId slot;
    // Of unasked: it is an answer to some question, like a second copy of one that was answered.
    bool legible = false;
  };

  // message: without its length. Frees the ID if the response is final for it.
  Match receive(std::span<const std::uint8_t> message);

  // When the oldest query was added that somebody waits for and that is younger than every query
  // answered so far: whether it got through, no answer tells. Nothing if there is none.
  std::optional<Instant> oldest_unheard();

  // Whose answers seem to have been what came illegible, each once: a server that answers in the
  // order it was asked had these to answer then, and has answered a later one since.
  struct Garbled {
    ExchangeId exchange;
    PipelineSlotId slot;
    friend bool operator==(const Garbled&, const Garbled&) = default;
  };
  std::vector<Garbled> take_garbled();

  // The exchange no longer waits for this attempt; its ID stays taken until answered.
  // False for a slot that is stale or abandoned already.
  bool abandon(PipelineSlotId slot);

  // The exchange that waits for this attempt is another one; harmless for a slot that is stale.
  void reassign(PipelineSlotId slot, ExchangeId exchange);

  // Who still waits for queries added before that time, in the order they were added.
  std::vector<ExchangeId> waiting(Instant added_before = never);

 private:
  struct Slot {
    ExchangeId exchange;
    Question question;
    Instant sent{};
    std::uint64_t sequence = 0;
    std::uint16_t id = 0;
    bool abandoned = false;
    void reset() { abandoned = false; }
  };
  using Slots = SlotMap<Slot, PipelineSlotTag>;

  static_assert(pipeline_queries_max <= 65'536 / 2);

  void release(PipelineSlotId slot_id);
  Match stray(std::span<const std::uint8_t> message);
  void expect_garbled();

  Slots slots_;
  std::deque<PipelineSlotId> unheard_;   // in the order they were added; some are over
  Instant newest_answered_{};            // when the query was added
  std::uint64_t sequence_answered_ = 0;  // … and its place in that order
  std::deque<PipelineSlotId> garbled_;   // expected to be; in that order, some are over
  ProbeTable<PipelineSlotId> by_id_;
  std::size_t abandoned_ = 0;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace sotto
