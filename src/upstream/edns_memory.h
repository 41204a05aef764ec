// What is known of a server's EDNS (RFC 6891 §6.2.2, §7). A server that has shown OPT has proven
// it, whatever it says of one question. One that never has, and answers what it is asked without
// OPT after FORMERR, is asked without; our own probes, always with OPT, find out when that is over.
// Why so: doc/decisions/0034-edns-and-padding.md. Test: tests/unit/upstream/edns_test.cc.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace sotto {

// The first probe comes so soon that a single odd name does no harm, each next one after twice the
// time: a server that really knows no EDNS costs one query an hour.
inline constexpr Duration edns_probe_first = std::chrono::seconds{1};
inline constexpr Duration edns_probe_max = std::chrono::hours{1};

class EdnsMemory {
 public:
  bool asked_with() const { return state_ != State::without; }
  // An answer with OPT.
  void on_opt() { *this = EdnsMemory{State::proven}; }
  // FORMERR to a query with EDNS, and an answer to the same one without. True if it is news.
  bool on_answered_without(Instant now) {
    if (state_ != State::unknown) return false;
    state_ = State::without;
    delay_ = edns_probe_first;
    probe_due_ = now + delay_;
    return true;
  }
  // A query with EDNS was answered, if without OPT: it ignores EDNS, which does no harm.
  void on_ignored() {
    if (state_ == State::without) *this = EdnsMemory{};
  }
  // When it should be asked something of our own next; never if it is asked with EDNS anyway.
  Instant probe_due() const { return state_ == State::without ? probe_due_ : never; }
  void on_probe(Instant now) {
    delay_ = std::min(2 * delay_, edns_probe_max);
    probe_due_ = now + delay_;
  }

  EdnsMemory() = default;

 private:
  enum class State : std::uint8_t { unknown, proven, without };
  explicit EdnsMemory(State state) : state_(state) {}

  State state_ = State::unknown;
  Duration delay_{0};
  Instant probe_due_{};
};

}  // namespace sotto
