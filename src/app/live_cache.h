// The cache of the running sotto and the counters of its workers, as the control socket sees them.
// Test: tests/integration/test_control.py.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "app/cache_control.h"

namespace sotto {

class LiveCache final : public CacheControl {
 public:
  // cache outlives this, and so does what totals reads.
  LiveCache(Cache& cache, std::function<LookupTotals()> totals)
      : cache_(cache), totals_(std::move(totals)) {}

  std::size_t flush() override { return cache_.flush(); }
  std::size_t flush(std::span<const std::uint8_t> name, bool below) override {
    // Workers that wait for a part of the cache come first.
    return cache_.flush(name, below, [] { std::this_thread::sleep_for(pause); });
  }
  void visit(const std::function<void(const CachedEntry&)>& callback) const override;
  CacheStats stats() const override { return cache_.stats(); }
  LookupTotals lookups() const override { return totals_(); }

 private:
  static constexpr std::chrono::microseconds pause{20};

  Cache& cache_;
  std::function<LookupTotals()> totals_;
};

}  // namespace sotto
