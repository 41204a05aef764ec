// How many queries a server answers on one connection before it closes it, learned from where it
// did, so that the next connection is there before (RFC 7766 §6.2.3, §7: what it leaves unanswered
// is sent again, a round trip and a handshake later). Test:
// tests/unit/upstream/answer_limit_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/clock.h"

namespace sotto {

class AnswerLimit {
 public:
  static constexpr std::uint64_t none = UINT64_MAX;
  // A server that counts closes right behind its last answer, so within this.
  static constexpr Duration close_within = std::chrono::milliseconds{100};

  // The server closed a connection in order after so many answers. cut_short: others were still
  // waited for, or it had answered a moment ago, so that it was not for idleness. A server that
  // restarts does so, too; one that counts comes to the same number again. (A reset is not told: a
  // path that dies makes one, too.)
  void on_closed(std::uint64_t answered, bool cut_short) {
    if (answered == 0 || !cut_short) return;
    const bool again = std::exchange(closed_after_, answered) == answered;
    limit_ = again ? answered : none;
  }
  // It has answered so many on a connection. True if that is more than was believed.
  bool on_answer(std::uint64_t answered) {
    if (answered <= limit_) return false;
    limit_ = none;
    return true;
  }

  // Queries that a connection is given at most; none: as many as there are.
  std::uint64_t get() const { return limit_; }
  // Is it time to open the next connection? sent, and outstanding: on the one in use. What is
  // outstanding came within one round trip; a handshake takes two or three.
  bool nears(std::uint64_t sent, std::size_t outstanding) const {
    return limit_ != none && sent + 4 * outstanding + 2 >= limit_;
  }

 private:
  std::uint64_t limit_ = none;
  std::uint64_t closed_after_ = 0;  // the last time
};

}  // namespace sotto
