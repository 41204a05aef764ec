// How many upstream queries may be spent on answers nobody waits for.
// Test: tests/unit/forwarder/refresh_budget_test.cc.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace sotto {

// Where nearly everything is a hit, a share of the misses would be nothing: so many refreshes are
// always allowed.
inline constexpr double refreshes_per_second_min = 100;
// What is not spent is kept up to this, so that a burst of answers running out together fits.
inline constexpr double refreshes_saved_max = 200;

class RefreshBudget {
 public:
  // percent: of the queries asked for clients; 0 allows nothing.
  void set_percent(unsigned percent) { percent_ = percent; }

  // A query was asked because a client waits.
  void earn() { saved_ = std::min(saved_ + percent_ / 100.0, refreshes_saved_max); }
  // True if one more may be asked; call spend() then.
  bool allows_one(Instant now) {
    const std::chrono::duration<double> passed = now - since_;
    since_ = now;
    saved_ = std::min(saved_ + passed.count() * refreshes_per_second_min, refreshes_saved_max);
    return percent_ > 0 && saved_ >= 1;
  }
  void spend() { saved_ -= 1; }

 private:
  unsigned percent_ = 0;
  double saved_ = refreshes_saved_max;
  Instant since_{};
};

}  // namespace sotto
