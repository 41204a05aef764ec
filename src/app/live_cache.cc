#include "app/live_cache.h"

#include "base/clock.h"

namespace sotto {

// Shard by shard: no worker waits for more than one.
void LiveCache::visit(const std::function<void(const CachedEntry&)>& callback) const {
  for (std::size_t shard = 0; shard < cache_.shards(); ++shard) {
    cache_.visit(shard, monotonic_now(), callback);
  }
}

}  // namespace sotto
