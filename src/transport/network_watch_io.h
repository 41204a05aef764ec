// Tells when the host's links, addresses or routes change (rtnetlink(7)), so that connections whose
// path is gone are not waited for. Test: tests/unit/transport/watches_test.cc.
#pragma once

#include <functional>
#include <memory>
#include <tl/expected.hpp>

#include "transport/change_burst.h"
#include "transport/loop_io.h"

namespace sotto {

class NetworkWatch {
 public:
  // on_change: called on the loop's thread at the first change of a burst and when that is over; it
  // may change nothing that matters. loop outlives the watch, and does not run any more when that
  // is destroyed.
  static tl::expected<std::unique_ptr<NetworkWatch>, SystemError> open(
      Loop& loop, std::function<void()> on_change);

  Instant next_deadline() const { return burst_.next_deadline(); }
  void on_deadline();

 private:
  NetworkWatch(Loop& loop, UniqueFd fd, std::function<void()> on_change)
      : loop_(loop), watch_(loop, std::move(fd)), on_change_(std::move(on_change)) {}
  void wait();
  void on_readable();
  bool drain();

  Loop& loop_;
  Watch watch_;
  std::function<void()> on_change_;
  ChangeBurst burst_;
};

}  // namespace sotto
