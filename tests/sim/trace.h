// What happened in a run: always as a hash, so that two runs can be compared, and as text if
// somebody wants to read it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sotto::sim {

class Trace {
 public:
  // lines: how many of the last ones are kept as text.
  Trace(const Instant& clock_now, std::size_t lines) : now_(clock_now), lines_max_(lines) {}

  template <class... Values>
  void note(std::string_view what, Values... values) {
    ++events_;
    mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
    for (const char letter : what) mix(static_cast<std::uint64_t>(letter));
    (mix(static_cast<std::uint64_t>(values)), ...);
    if (lines_max_ == 0) return;
    std::string text = std::to_string(now_.time_since_epoch().count() / 1'000);
    text.insert(text.size() - 6, ".");
    text.append("  ").append(what);
    (text.append(" ").append(std::to_string(values)), ...);
    lines_.push_back(std::move(text));
    if (lines_.size() > lines_max_) lines_.pop_front();
  }

  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  void mix(std::uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9E37'79B9'7F4A'7C15U + (hash_ >> 29U);
  }

  const Instant& now_;
  const std::size_t lines_max_;
  std::uint64_t hash_ = 1;
  std::uint64_t events_ = 0;
  std::deque<std::string> lines_;
};

}  // namespace sotto::sim
