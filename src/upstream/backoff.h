// When an endpoint may be connected to again. One per endpoint and process, so that more workers do
// not mean more attempts. Test: tests/unit/upstream/backoff_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/random.h"
#include "transport/tls_credentials.h"

namespace sotto {

enum class FailureKind : std::uint8_t {
  none,
  transport,       // refused, reset, timed out, never answered
  authentication,  // the wrong certificate: trying again soon is pointless
  no_route,        // the host has no route for this address family
};

// Transport failures: 50 ms, then 100 ms for the first ten seconds, while clients still wait for
// what was asked; then doubling to 1 s. Authentication failures: 1 s doubling to 10 s.
inline constexpr Duration backoff_first = std::chrono::milliseconds{50};
inline constexpr Duration backoff_early_max = std::chrono::milliseconds{100};
inline constexpr Duration backoff_early_period = std::chrono::seconds{10};
inline constexpr Duration backoff_max = std::chrono::seconds{1};
inline constexpr Duration backoff_authentication_first = std::chrono::seconds{1};
inline constexpr Duration backoff_authentication_max = std::chrono::seconds{10};
// A new exchange need not wait for the back-off if nobody has tried for this long.
inline constexpr Duration attempt_interval_min = std::chrono::milliseconds{100};
// … or, where nobody was who they should be, for this long.
inline constexpr Duration attempt_interval_authentication = std::chrono::milliseconds{500};

// The decision alone; not thread-safe.
class Backoff {
 public:
  // May a connection be attempted now? fresh: on behalf of an exchange that has just begun.
  // If so, the attempt counts as begun, and others wait for the next one.
  bool begin_attempt(Instant now, bool fresh, Random& random);
  void on_failure(Instant now, FailureKind kind, Random& random);
  void on_answer() { *this = Backoff{}; }

  bool failing() const { return kind_ != FailureKind::none; }
  FailureKind last_failure() const { return kind_; }
  // When the next attempt is due if queries wait; the past when not failing.
  Instant next_attempt() const { return next_attempt_; }

 private:
  FailureKind kind_ = FailureKind::none;
  Duration delay_{0};
  Instant failing_since_{};
  Instant last_attempt_{};
  Instant next_attempt_{};
};

// The same, shared by workers: locked, and only touched when connections begin and end.
class SharedBackoff {
 public:
  bool begin_attempt(Instant now, bool fresh, Random& random);
  void on_failure(Instant now, FailureKind kind, Random& random);
  void on_answer();
  Backoff snapshot() const;

 private:
  mutable std::mutex mutex_;
  Backoff backoff_;
};

// Finds the one SharedBackoff of an endpoint, across workers and reloads. Thread-safe.
class BackoffRegistry {
 public:
  std::shared_ptr<SharedBackoff> of(const TlsPeerIdentity& endpoint);

 private:
  std::mutex mutex_;
  std::map<TlsPeerIdentity, std::weak_ptr<SharedBackoff>> backoffs_;
};

}  // namespace sotto
