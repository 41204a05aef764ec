// Counters of one worker: written by its thread only, read by any.
#pragma once

#include <atomic>
#include <cstdint>

namespace sotto {

class Counter {
 public:
  Counter() = default;
  // A copy, for whoever wants several of one moment; make it on the owning thread.
  Counter(const Counter& other) : value_(other.value()) {}
  Counter& operator=(const Counter& other) {
    value_.store(other.value(), std::memory_order_relaxed);
    return *this;
  }
  // A plain load and store: only the owning thread writes. A call would cost more.
  [[gnu::always_inline]] void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace sotto
