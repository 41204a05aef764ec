// Tells when the wall clock was set, or the machine resumed: what was judged by a wrong clock,
// certificates above all, deserves another look (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
// Test: tests/unit/transport/watches_test.cc.
#pragma once

#include <functional>
#include <memory>
#include <tl/expected.hpp>

#include "transport/loop_io.h"

namespace sotto {

class ClockWatch {
 public:
  // on_change: called on the loop's thread. loop outlives the watch, and does not run any more when
  // that is destroyed.
  static tl::expected<std::unique_ptr<ClockWatch>, SystemError> open(
      Loop& loop, std::function<void()> on_change);

 private:
  ClockWatch(Loop& loop, UniqueFd fd, std::function<void()> on_change)
      : watch_(loop, std::move(fd)), on_change_(std::move(on_change)) {}
  void wait();
  void on_readable();

  Watch watch_;
  std::function<void()> on_change_;
};

}  // namespace sotto
