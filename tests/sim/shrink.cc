#include "shrink.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace sotto::sim {
namespace {

class Shrinker {
 public:
  Shrinker(const Scenario& scenario, const RunOptions& options, std::size_t runs_max)
      : options_(options), runs_max_(runs_max) {
    best_.scenario = scenario;
    best_.result = run(scenario, options);
  }

  Shrunk shrink() {
    if (!best_.result.failure) return std::move(best_);
    do {
      smaller_ = false;
      shorten(&Scenario::queries);
      shorten(&Scenario::faults);
      shorten_by_pairs(&Scenario::queries);
      simplify();
    } while (smaller_ && best_.runs < runs_max_);
    return std::move(best_);
  }

 private:
  // Keeps the candidate if it fails like the original.
  bool try_candidate(Scenario candidate) {
    if (best_.runs >= runs_max_ || candidate == best_.scenario) return false;
    ++best_.runs;
    RunResult result = run(candidate, options_);
    if (!result.failure || result.failure->invariant != best_.result.failure->invariant) {
      return false;
    }
    best_.scenario = std::move(candidate);
    best_.result = std::move(result);
    smaller_ = true;
    return true;
  }

  // Leaves out parts, halves first, down to single entries (delta debugging).
  template <class Entry>
  void shorten(std::vector<Entry> Scenario::*list) {
    for (std::size_t part = (best_.scenario.*list).size(); part > 0; part /= 2) {
      for (std::size_t at = 0; at < (best_.scenario.*list).size();) {
        Scenario candidate = best_.scenario;
        std::vector<Entry>& entries = candidate.*list;
        const auto begin = entries.begin() + static_cast<std::ptrdiff_t>(at);
        const std::size_t count = std::min(part, entries.size() - at);
        entries.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
        if (!try_candidate(std::move(candidate))) at += part;
      }
    }
  }

  // What needs another entry to be of no use, such as a query that keeps a connection busy for the
  // next one. Only where few are left.
  template <class Entry>
  void shorten_by_pairs(std::vector<Entry> Scenario::*list) {
    constexpr std::size_t entries_max = 16;
    if ((best_.scenario.*list).size() > entries_max) return;
    for (std::size_t one = 0; one < (best_.scenario.*list).size(); ++one) {
      for (std::size_t other = one + 1; other < (best_.scenario.*list).size();) {
        Scenario candidate = best_.scenario;
        std::vector<Entry>& entries = candidate.*list;
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(other));
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(one));
        if (!try_candidate(std::move(candidate))) ++other;
      }
    }
  }

  template <class Change>
  void attempt(Change change) {
    Scenario candidate = best_.scenario;
    change(candidate);
    try_candidate(std::move(candidate));
  }

  // Plainer settings, shorter and full faults.
  void simplify() {
    const Settings standard;
    for (const unsigned probes : {0U, 1U, 2U, 5U}) {
      if (probes >= best_.scenario.settings.probes) break;
      attempt([&](Scenario& it) { it.settings.probes = probes; });
    }
    attempt([&](Scenario& it) { it.settings.promptly = standard.promptly; });
    attempt([&](Scenario& it) { it.settings.workers = standard.workers; });
    attempt([&](Scenario& it) { it.settings.hedge = standard.hedge; });
    attempt([&](Scenario& it) { it.settings.keep_warm = standard.keep_warm; });
    attempt([&](Scenario& it) { it.settings.probe_interval = standard.probe_interval; });
    attempt([&](Scenario& it) { it.settings.stale = standard.stale; });
    attempt([&](Scenario& it) { it.settings.prefetch = standard.prefetch; });
    for (std::size_t at = 0; at < best_.scenario.settings.upstreams.size(); ++at) {
      attempt([&](Scenario& it) { it.settings.upstreams[at].jitter = 0; });
      attempt([&](Scenario& it) { it.settings.upstreams[at].latency = 10; });
      attempt([&](Scenario& it) { it.settings.upstreams[at].idle_close = 10'000; });
    }
    for (std::size_t at = 0; at < best_.scenario.faults.size(); ++at) {
      attempt([&](Scenario& it) { it.faults[at].duration /= 2; });
      attempt([&](Scenario& it) { it.faults[at].amount = std::max(100U, it.faults[at].amount); });
    }
    for (std::size_t at = 0; at < best_.scenario.queries.size(); ++at) {
      attempt([&](Scenario& it) { it.queries[at].leaves = 0; });
      attempt([&](Scenario& it) { it.queries[at].client = 1; });
    }
  }

  const RunOptions options_;
  const std::size_t runs_max_;
  Shrunk best_;
  bool smaller_ = false;
};

}  // namespace

Shrunk shrink(const Scenario& scenario, const RunOptions& options, std::size_t runs_max) {
  return Shrinker(scenario, options, runs_max).shrink();
}

}  // namespace sotto::sim
