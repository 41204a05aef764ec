// An exchange: one question put to upstreams and its one result. Its attempts and what they cost.
// Test: tests/unit/upstream/exchanges_test.cc.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "upstream/ids.h"

namespace sotto {

// Sends of one query to one upstream whose connections never answered anything in between.
inline constexpr std::size_t sends_per_upstream_max = 3;
// Where nobody else is left, the next one to the same upstream comes no sooner than this.
inline constexpr Duration last_resort_interval = std::chrono::milliseconds{250};
// Sends of one query in all, whatever happens.
inline constexpr std::size_t sends_max = 8;

struct Attempt {
  enum class State : std::uint8_t {
    active,   // an answer may come any moment
    suspect,  // its connection went silent, or answered wrongly; an answer would still be taken
    over,     // lost, discarded or answered
  };
  AttemptId id;
  std::uint32_t upstream = 0;
  Instant sent{};
  State state = State::over;
  bool charged = true;   // counts against sends_per_upstream_max
  bool wrong = false;    // what came was another question's answer
  bool torn = false;     // a connection of use died or fell silent under it: the path's fault
  bool edns = true;      // it was asked with EDNS
  bool refused = false;  // … and answered that it does not answer us
};

struct Exchange {
  ExchangeId id;
  Question question;
  std::uint64_t token = 0;  // the client's
  Instant deadline{};
  std::array<Attempt, sends_max> attempts;
  std::uint8_t sends = 0;
  bool fresh = true;                    // no connection was attempted for it yet
  std::uint32_t without_edns_for = 0;   // upstream that answered FORMERR to EDNS; 0: none
  std::uint32_t answered_badly_by = 0;  // upstream that answered SERVFAIL or REFUSED; 0: none
  // … and what it said, or that all who were asked refuse us, if nobody knows better.
  std::unique_ptr<Answer> bad_answer;
  bool hedged = false;  // asked elsewhere, or not to be, because the answer was late
  Instant asked{};      // when it was first sent
  Instant last_sent{};
  Instant lost_at{};          // when it will be taken for lost, if it is late
  std::uint32_t late_in = 0;  // which list by_lateness is in; see Lateness
  ListHook<Exchange> by_age;
  ListHook<Exchange> by_lateness;
  ListHook<Exchange> in_waiting;
  bool in_constrained = false;  // which list in_waiting belongs to
  bool cancelled = false;       // nobody waits for it

  std::span<Attempt> tried() { return {attempts.data(), sends}; }
  std::span<const Attempt> tried() const { return {attempts.data(), sends}; }

  // last_answer: that upstream's; what was charged before it has lapsed.
  bool may_ask(std::uint32_t upstream, Instant last_answer) const {
    if (upstream == answered_badly_by) return false;
    std::size_t charges = 0;
    for (const Attempt& attempt : tried()) {
      if (attempt.upstream == upstream && attempt.refused) return false;
      const bool counts = attempt.charged && attempt.sent >= last_answer;
      if (attempt.upstream == upstream && counts) ++charges;
    }
    return charges < sends_per_upstream_max;
  }
  bool asked_at(std::uint32_t upstream) const {
    return std::any_of(tried().begin(), tried().end(),
                       [upstream](const Attempt& attempt) { return attempt.upstream == upstream; });
  }
  // How often this upstream had its chance.
  std::size_t sends_to(std::uint32_t upstream) const {
    const auto there = [upstream](const Attempt& attempt) {
      return attempt.upstream == upstream && !attempt.torn;
    };
    return static_cast<std::size_t>(std::count_if(tried().begin(), tried().end(), there));
  }
  bool has(Attempt::State state) const {
    return std::any_of(tried().begin(), tried().end(),
                       [state](const Attempt& attempt) { return attempt.state == state; });
  }
  // callback(Attempt&) for each attempt on this connection that is not over.
  template <class Callback>
  void for_each_on(ConnectionId connection, Callback callback) {
    for (Attempt& attempt : tried()) {
      if (attempt.id.connection == connection && attempt.state != Attempt::State::over) {
        callback(attempt);
      }
    }
  }
  void reset() {
    assert(!by_age.linked && !in_waiting.linked && !by_lateness.linked);
    hedged = false;
    late_in = 0;
    sends = 0;
    fresh = true;
    in_constrained = false;
    cancelled = false;
    without_edns_for = 0;
    answered_badly_by = 0;
    bad_answer.reset();
  }
};

}  // namespace sotto
