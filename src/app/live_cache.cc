#include "app/live_cache.h"

#include <thread>

#include "base/clock.h"

namespace sotto {

std::size_t LiveCache::flush() {
  const std::size_t entries = cache_.flush();
  keeper_.flushed(true);
  return entries;
}

std::size_t LiveCache::flush(std::span<const std::uint8_t> name, bool below) {
  // Workers that wait for a part of the cache come first.
  const std::size_t entries = cache_.flush(name, below, [] { std::this_thread::sleep_for(pause); });
  const bool is_root = name.size() == 1;
  keeper_.flushed(below && is_root);
  return entries;
}

// Shard by shard: no worker waits for more than one.
void LiveCache::visit(const std::function<void(const CachedEntry&)>& callback) const {
  for (std::size_t shard = 0; shard < cache_.shards(); ++shard) {
    cache_.visit(shard, monotonic_now(), callback);
  }
}

}  // namespace sotto
