// What will happen, in order of time; what happens at the same instant, in the order it was added.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace sotto::sim {

class EventQueue {
 public:
  void at(Instant when, std::function<void()> action) {
    heap_.push_back({when, next_sequence_++, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  Instant next() const { return heap_.empty() ? never : heap_.front().when; }

  // Does what was due when called; what is added meanwhile waits for the next call, as what becomes
  // ready in a turn of an event loop does.
  void run_due(Instant now) {
    std::vector<Event> due;
    while (next() <= now) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      due.push_back(std::move(heap_.back()));
      heap_.pop_back();
    }
    for (const Event& event : due) event.action();
  }

 private:
  struct Event {
    Instant when;
    std::uint64_t sequence;
    std::function<void()> action;
  };
  static bool later(const Event& left, const Event& right) {
    return std::pair(left.when, left.sequence) > std::pair(right.when, right.sequence);
  }

  std::vector<Event> heap_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace sotto::sim
