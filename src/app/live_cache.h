// The cache of the running sotto and the counters of its workers, as the control socket sees them.
// Test: tests/integration/test_control.py.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "app/cache_control.h"
#include "app/cache_keeper.h"

namespace sotto {

class LiveCache final : public CacheControl {
 public:
  // cache and keeper outlive this, and so does what totals reads.
  LiveCache(Cache& cache, CacheKeeper& keeper, std::function<LookupTotals()> totals)
      : cache_(cache), keeper_(keeper), totals_(std::move(totals)) {}

  std::size_t flush() override;
  std::size_t flush(std::span<const std::uint8_t> name, bool below) override;
  void visit(const std::function<void(const CachedEntry&)>& callback) const override;
  CacheStats stats() const override { return cache_.stats(); }
  LookupTotals lookups() const override { return totals_(); }

 private:
  static constexpr std::chrono::microseconds pause{20};

  Cache& cache_;
  CacheKeeper& keeper_;
  std::function<LookupTotals()> totals_;
};

}  // namespace sotto
