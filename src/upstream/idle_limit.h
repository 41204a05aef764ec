// How long a server keeps idle connections, learned from when it closed them or stopped to answer
// on them, so that ours are closed before (RFC 7766 §6.2.3).
// Test: tests/unit/upstream/idle_limit_test.cc.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace sotto {

// A server that closes sooner closes for another reason than that nobody asks.
inline constexpr Duration idle_close_min = std::chrono::milliseconds{500};
// Not believed for ever: it may have been a bad hour.
inline constexpr Duration idle_limit_memory = std::chrono::hours{1};

class IdleLimit {
 public:
  // The server closed a connection in order that had been idle for this long.
  void on_closed_idle(Duration idle, Instant now) {
    if (idle >= idle_close_min) learn(idle - std::max(idle / 8, idle_close_min / 4), now);
  }
  // … or reset it. A server that restarts does so, too; one that means it does so again after about
  // as long.
  void on_reset_idle(Duration idle, Instant now) {
    const Duration before = std::exchange(reset_after_, idle);
    const auto [less, more] = std::minmax(before, idle);
    if (more - less <= less / 4) on_closed_idle(less, now);
  }
  // A connection that had been idle for this long took queries and never said anything again: a
  // middlebox had forgotten it, nobody knows since when.
  void on_silent_after(Duration idle, Instant now) {
    if (idle >= idle_close_min) learn(idle / 2, now);
  }

  // What was learned; nothing when that is too long ago.
  std::optional<Duration> get(Instant now) const {
    return now < until_ ? std::optional{limit_} : std::nullopt;
  }
  Duration apply(Duration configured, Instant now) const {
    return now < until_ ? std::min(limit_, configured) : configured;
  }

 private:
  void learn(Duration limit, Instant now) {
    limit_ = now < until_ ? std::min(limit_, limit) : limit;
    until_ = now + idle_limit_memory;
  }

  Duration reset_after_{0};  // the last one
  Duration limit_{0};
  Instant until_{};
};

}  // namespace sotto
