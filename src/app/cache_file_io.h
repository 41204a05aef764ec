// The cache's file on disk: replaced as a whole or not at all, read as a whole or not at all.
// Tests: tests/unit/app/cache_file_test.cc, tests/integration/test_snapshot.py.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "app/file_calls.h"
#include "base/clock.h"
#include "cache/cache.h"
#include "cache/ttl_rules.h"

namespace sotto {

// Asked again and again while a file is read or written, never with a lock held: gives way to
// others as it sees fit, and says whether to go on.
using GoOn = std::function<bool()>;
// Asked once, when a file is complete: the lock is held while it takes its place. One that owns
// nothing says that somebody flushed the cache meanwhile.
using ClaimPlace = std::function<std::unique_lock<std::mutex>()>;

struct CacheFileResult {
  enum class Outcome : std::uint8_t {
    done,
    absent,       // there is nothing to read
    interrupted,  // go_on() said no
    overtaken,    // somebody flushed the cache while it was filled or saved
    busy,         // another process is writing
    failed,
  };
  Outcome outcome = Outcome::done;
  std::uint64_t entries = 0;  // written, or taken up by the cache
  std::uint64_t skipped = 0;  // too old, known already, or not fit to be used
  std::string reason;         // of failed and busy, in words for a log line
  bool may_replace = true;    // false: what is there is no file of ours
};

// Writes all answers of cache into a new file beside path, brings it to the disk and gives it the
// name. Until then whatever path names stays as it is, and always if the cache is flushed
// meanwhile. Takes 1.5 MB of memory at most.
CacheFileResult save_cache(const Cache& cache, const std::string& path, FileCalls& calls,
                           const GoOn& go_on, const ClaimPlace& claim = {});

// Tries whether save_cache() could begin; takes away what a killed process left.
CacheFileResult probe_cache_file(const std::string& path, FileCalls& calls);

// Removes the file, unless it is something save_cache() would not replace either.
CacheFileResult remove_cache_file(const std::string& path, FileCalls& calls);

// Checks all of the file, then hands its entries to cache; rules as they are now. Only a file that
// nobody but root and we could write is read. generation: the cache's; what is in the file is older
// than any flush since.
CacheFileResult load_cache(Cache& cache, const std::string& path, const TtlRules& rules,
                           std::uint32_t generation, const GoOn& go_on);

}  // namespace sotto
