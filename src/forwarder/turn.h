// The end of a turn of a worker's event loop, as far as the core goes: what is due is told, then
// what the turn produced leaves. Workers and the simulation (tests/sim) both end their turns by it.
#pragma once

#include <algorithm>

#include "base/clock.h"
#include "forwarder/forwarder.h"
#include "upstream/exchanges.h"

namespace sotto {

class Turn {
 public:
  // All outlive this object.
  Turn(Exchanges& exchanges, Forwarder& forwarder, const Instant& clock_now)
      : exchanges_(exchanges), forwarder_(forwarder), now_(clock_now) {}

  // First.
  void tell_deadlines() {
    // The earliest that any turn since has named: what has passed meanwhile is not told again.
    if (exchanges_deadline_ <= now_) {
      const Duration late = now_ - std::max(exchanges_deadline_, last_turn_);
      if (late >= slept_min) exchanges_.on_slept(late);  // nothing is that late while awake
      exchanges_deadline_ = never;
      exchanges_.on_deadline();
    }
    if (forwarder_.next_deadline() <= now_) forwarder_.on_deadline();
  }
  // When nothing of this turn will ask anything more. Responses leave after it, as answers to
  // queries take longest.
  void send() { exchanges_.end_turn(); }
  // Last: when the core wants the next turn to be.
  Instant next_deadline() {
    last_turn_ = now_;
    exchanges_deadline_ = std::min(exchanges_deadline_, exchanges_.next_deadline());
    return std::min(exchanges_deadline_, forwarder_.next_deadline());
  }

 private:
  Exchanges& exchanges_;
  Forwarder& forwarder_;
  const Instant& now_;
  Instant exchanges_deadline_ = never;  // when on_deadline() is due; may be in the past
  Instant last_turn_ = now_;
};

}  // namespace sotto
