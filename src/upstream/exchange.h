// An exchange: one question put to upstreams and its one result. Its attempts and what they cost.
// Test: tests/unit/upstream/exchanges_test.cc.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "upstream/ids.h"

namespace sotto {

// RFC 9520 §3.1: sends of one question to one upstream, over whatever connections and however many
// clients ask. Those do not count whose connection, which had been of use, died under them.
inline constexpr std::size_t sends_per_upstream_max = 3;
// … and so many of those that were answered wrongly: the server heard them.
inline constexpr std::size_t wrong_excused_max = 2;
// Sends of one question in all, whatever happens.
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
  bool excused = false;  // does not count against sends_per_upstream_max
  bool wrong = false;    // what came was another question's answer, or none
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
  // Those of the same question that wait for what this one brings, in the order they came; stale
  // ids are of those that have ended. While an exchange has a leader, it sends nothing itself.
  std::vector<ExchangeId> followers;
  ExchangeId leader;
  Instant counted_since{};  // what was sent before does not count
  Instant failed_at{};      // when one failed whose attempts it has taken over; zero: none

  std::span<Attempt> tried() { return {attempts.data(), sends}; }
  std::span<const Attempt> tried() const { return {attempts.data(), sends}; }

  bool may_ask(std::uint32_t upstream) const { return sends_left(upstream) > 0; }
  std::size_t sends_left(std::uint32_t upstream) const {
    if (upstream == answered_badly_by) return 0;
    std::size_t counted = 0;
    std::size_t wrong = 0;
    for (const Attempt& attempt : tried()) {
      if (attempt.upstream != upstream) continue;
      if (attempt.refused) return 0;
      if (attempt.excused) continue;
      ++(attempt.wrong ? wrong : counted);
    }
    const std::size_t allowed = sends_per_upstream_max + std::min(wrong, wrong_excused_max);
    return allowed - std::min(allowed, counted + wrong);
  }
  // What a connection must have shown signs of life since to carry the next send to this upstream:
  // the last one is not for one that may be as dead as those before.
  Instant alive_since(std::uint32_t upstream) const {
    if (sends == 0 || sends_left(upstream) != 1) return Instant{};
    return asked;
  }
  bool asked_at(std::uint32_t upstream) const {
    return std::any_of(tried().begin(), tried().end(),
                       [upstream](const Attempt& attempt) { return attempt.upstream == upstream; });
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
    followers.clear();
    leader = {};
    failed_at = {};
    without_edns_for = 0;
    answered_badly_by = 0;
    bad_answer.reset();
  }
};

}  // namespace sotto
