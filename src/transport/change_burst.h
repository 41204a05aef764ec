// When changes that come in bursts are told: the first at once, the others when it is quiet again,
// and never more often than is good for who is told. Decides; time is a parameter.
// Test: tests/unit/transport/change_burst_test.cc.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace sotto {

// A link that comes up brings routes and addresses within milliseconds of each other.
inline constexpr Duration change_quiet = std::chrono::milliseconds{100};
// A node of a cluster, where links of containers come and go all the time, is told of no more
// often, …
inline constexpr Duration change_interval_min = std::chrono::milliseconds{250};
// … and no later than this when it is never quiet.
inline constexpr Duration change_delay_max = std::chrono::seconds{1};
static_assert(change_quiet < change_interval_min && change_interval_min < change_delay_max);

class ChangeBurst {
 public:
  // Something changed. True: tell it now.
  bool on_change(Instant now) {
    if (!told_ever_ || (due_ == never && now - told_ >= change_interval_min)) {
      // What follows is told again: this may have been the half of it.
      note_told(now);
      return true;
    }
    if (due_ == never) waiting_since_ = now;
    due_ = std::min(std::max(now + change_quiet, told_ + change_interval_min),
                    waiting_since_ + change_delay_max);
    return false;
  }

  Instant next_deadline() const { return due_; }
  // True: tell it now.
  bool on_deadline(Instant now) {
    if (now < due_) return false;
    note_told(now);
    return true;
  }

 private:
  void note_told(Instant now) {
    told_ever_ = true;
    told_ = now;
    due_ = never;
  }

  bool told_ever_ = false;
  Instant told_{};
  Instant waiting_since_{};  // the first change that is not told; unless due_ is never
  Instant due_ = never;
};

}  // namespace sotto
