// A whole sotto but for its sockets: what a worker and what all workers share, over links and a
// clock that are handed in.
#pragma once

#include <set>

#include "base/random.h"
#include "cache/cache.h"
#include "forwarder/forwarder.h"
#include "forwarder/turn.h"
#include "scenario.h"
#include "trace.h"
#include "upstream/exchanges.h"
#include "upstream/pool.h"

namespace sotto::sim {

// How a configuration differs from the one a run begins with: the amount of Fault::reload.
inline constexpr unsigned reload_unchanged = 0;
inline constexpr unsigned reload_reversed = 1;
inline constexpr unsigned reload_without = 100;    // … plus the number of an upstream
inline constexpr unsigned reload_selection = 200;  // … plus the number of a selection

class Sotto final : public UpstreamObserver {
 public:
  Sotto(const Settings& settings, LinkOpener& opener, const Instant& clock_now, Trace& trace);

  // Returns the endpoints that are configured now.
  std::set<unsigned> configure(unsigned change);

  void on_upstream_event(const UpstreamEvent& event) override;
  // What does not add up, or null.
  const char* miscounted() const;
  // What is still in use although nobody asks any more, or null.
  const char* left_over();

 private:
  const Settings& settings_;
  Trace& trace_;

 public:
  Random random;
  BackoffRegistry backoffs;
  UpstreamCounters upstream_counters;
  ForwarderCounters counters;
  Pool pool;
  Exchanges exchanges;
  Cache cache;
  Forwarder forwarder;
  Turn turn;
};

}  // namespace sotto::sim
