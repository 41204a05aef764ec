// Counters of one worker: written by its thread only, read by any.
#pragma once

#include <atomic>
#include <cstdint>

namespace sotto {

class Counter {
 public:
  // A plain load and store: only the owning thread writes.
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace sotto
