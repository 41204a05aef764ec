// What can be done with the cache from outside; see cache_commands.h.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "cache/cache.h"

namespace sotto {

// Of all workers together, since the start.
struct LookupTotals {
  std::uint64_t hits = 0;  // answered at once: fresh, stale or a remembered failure
  std::uint64_t misses = 0;
  std::uint64_t stale = 0;          // answered past its TTL, at once or after waiting
  std::uint64_t failures_held = 0;  // answered from a remembered failure
  std::uint64_t prefetched = 0;     // refreshes begun ahead of expiry
  std::uint64_t rechecked = 0;      // … and of what was given stale
};

// Called from the admin thread only.
class CacheControl {
 public:
  virtual ~CacheControl() = default;

  // How many entries were forgotten.
  virtual std::size_t flush() = 0;
  virtual std::size_t flush(std::span<const std::uint8_t> name, bool below) = 0;
  // Every entry, in no particular order.
  virtual void visit(const std::function<void(const CachedEntry&)>& callback) const = 0;
  virtual CacheStats stats() const = 0;
  virtual LookupTotals lookups() const = 0;
};

}  // namespace sotto
