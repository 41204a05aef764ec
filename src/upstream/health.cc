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
  if (open()) return false;
  ++bad_;
  if (good_ + bad_ < outcomes_min || bad_ <= good_) return false;
  wait(breaker_first, now, random);
  return true;
}

void Health::on_probe(Instant now, Random& random) {
  wait(std::min(delay_ * 2, breaker_max), now, random);
}

// Up to a quarter less, so that workers do not probe in step.
void Health::wait(Duration delay, Instant now, Random& random) {
  delay_ = delay;
  const auto quarter = static_cast<std::uint64_t>(delay.count() / 4);
  probe_due_ = now + delay - Duration{static_cast<Duration::rep>(random.below(quarter))};
}

}  // namespace sotto
