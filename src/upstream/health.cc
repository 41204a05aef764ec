#include "upstream/health.h"

#include <algorithm>

namespace sotto {

void Health::on_good() {
  if (open()) {
    reset();
    return;
  }
  if (++good_ + bad_ < outcomes_max) return;
  good_ /= 2;
  bad_ /= 2;
}

bool Health::on_bad(Instant now, Random& random) {
  const bool was_open = open();
  if (!was_open) {
    ++bad_;
    if (good_ + bad_ < outcomes_min || bad_ <= good_) return false;
  } else if (now < probe_due_) {
    return false;  // of a query that was under way when it opened
  }
  delay_ = was_open ? std::min(delay_ * 2, breaker_max) : breaker_first;
  const auto quarter = static_cast<std::uint64_t>(delay_.count() / 4);
  probe_due_ = now + delay_ - Duration{static_cast<Duration::rep>(random.below(quarter))};
  return !was_open;
}

}  // namespace sotto
