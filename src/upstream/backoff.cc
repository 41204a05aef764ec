#include "upstream/backoff.h"

#include <algorithm>

namespace sotto {
namespace {

// Up to a quarter more, so that many forwarders do not come back in step.
Duration with_jitter(Duration delay, Random& random) {
  return delay + Duration{static_cast<Duration::rep>(
                     random.below(static_cast<std::uint64_t>(delay.count() / 4 + 1)))};
}

}  // namespace

bool Backoff::begin_attempt(Instant now, bool fresh, Random& random) {
  if (!failing()) return true;
  const bool due = now >= next_attempt_;
  const Duration interval =
      kind_ == FailureKind::authentication ? attempt_interval_authentication : attempt_interval_min;
  if (!due && !(fresh && now - last_attempt_ >= interval)) return false;
  last_attempt_ = now;
  next_attempt_ = now + with_jitter(std::max(delay_, interval), random);
  return true;
}

void Backoff::on_failure(Instant now, FailureKind kind, Random& random) {
  const bool authentication = kind == FailureKind::authentication;
  if (!failing()) {
    failing_since_ = now;
    last_attempt_ = now;
  }
  // A failure of the other kind begins its own series: their delays have nothing in common.
  if (!failing() || authentication != (kind_ == FailureKind::authentication)) {
    delay_ = authentication ? backoff_authentication_first : backoff_first;
  } else {
    const Duration limit = authentication ? backoff_authentication_max
                           : now - failing_since_ < backoff_early_period ? backoff_early_max
                                                                         : backoff_max;
    delay_ = std::min(delay_ * 2, limit);
  }
  kind_ = kind;
  next_attempt_ = now + with_jitter(delay_, random);
}

bool SharedBackoff::begin_attempt(Instant now, bool fresh, Random& random) {
  const std::lock_guard lock{mutex_};
  return backoff_.begin_attempt(now, fresh, random);
}

void SharedBackoff::on_failure(Instant now, FailureKind kind, Random& random) {
  const std::lock_guard lock{mutex_};
  backoff_.on_failure(now, kind, random);
}

void SharedBackoff::on_answer() {
  const std::lock_guard lock{mutex_};
  if (backoff_.failing()) backoff_.on_answer();
}

Backoff SharedBackoff::snapshot() const {
  const std::lock_guard lock{mutex_};
  return backoff_;
}

std::shared_ptr<SharedBackoff> BackoffRegistry::of(const TlsPeerIdentity& endpoint) {
  const std::lock_guard lock{mutex_};
  std::erase_if(backoffs_, [](const auto& entry) { return entry.second.expired(); });
  auto& known = backoffs_[endpoint];
  std::shared_ptr<SharedBackoff> backoff = known.lock();
  if (!backoff) {
    backoff = std::make_shared<SharedBackoff>();
    known = backoff;
  }
  return backoff;
}

}  // namespace sotto
