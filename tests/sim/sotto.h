// A whole sotto but for its sockets: workers and what they share, over links and a clock that are
// handed in.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "base/random.h"
#include "cache/cache.h"
#include "forwarder/forwarder.h"
#include "forwarder/turn.h"
#include "network.h"
#include "scenario.h"
#include "trace.h"
#include "upstream/exchanges.h"
#include "upstream/pool.h"

namespace sotto::sim {

// How a configuration differs from the one a run begins with: the amount of Fault::reload.
inline constexpr unsigned reload_unchanged = 0;
inline constexpr unsigned reload_reversed = 1;
inline constexpr unsigned reload_without = 100;     // … plus the number of an upstream
inline constexpr unsigned reload_selection = 200;   // … plus the number of a selection
inline constexpr unsigned reload_unresolved = 300;  // … an upstream that has no addresses yet

// One thread's part.
class Worker final : public UpstreamObserver {
 public:
  // All but the number outlive the worker; the number tells them apart.
  Worker(const Settings& settings, unsigned number, LinkOpener& opener, BackoffRegistry& backoffs,
         Cache& cache, const Instant& clock_now, Trace& trace);

  void on_upstream_event(const UpstreamEvent& event) override;
  // What does not add up, or null. at_rest: nothing is in flight.
  const char* miscounted(bool at_rest) const;
  // Did it ask elsewhere too more often than the budget allows, where no group asks all?
  bool overspent() const;

 private:
  const Settings& settings_;
  const unsigned number_;
  Trace& trace_;

 public:
  Random random;
  UpstreamCounters upstream_counters;
  ForwarderCounters counters;
  Pool pool;
  Exchanges exchanges;
  Forwarder forwarder;
  Turn turn;
};

class Sotto {
 public:
  Sotto(const Settings& settings, Network& network, const Instant& clock_now, Trace& trace);

  // Returns the endpoints that are configured now.
  std::set<unsigned> configure(unsigned change);
  // What is still in use although nobody asks any more, or null.
  const char* left_over() const;

 private:
  const Settings& settings_;
  Random random_;

 public:
  BackoffRegistry backoffs;
  Cache cache;
  std::vector<std::unique_ptr<Worker>> workers;
};

}  // namespace sotto::sim
