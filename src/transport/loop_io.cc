#include "transport/loop_io.h"

#include <asio/post.hpp>

namespace sotto {

void Loop::request_turn_end() {
  if (turn_end_requested_) return;
  turn_end_requested_ = true;
  // Queued behind everything that is ready now.
  asio::post(context_, [this] { end_turn(); });
}

void Loop::end_turn() {
  turn_end_requested_ = false;
  if (end_turn_) arm(end_turn_());
}

// A timer that fires early costs one empty turn; setting it anew for every query would cost a
// system call each.
//
// The timer counts by a clock that stands still while the machine is suspended. So it is set
// relatively, and anew once its deadline has passed without it.
void Loop::arm(Instant deadline) {
  if (deadline >= armed_ && armed_ > now_) return;
  armed_ = deadline;
  if (deadline == never) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(deadline - now_);
  timer_.async_wait([this](const std::error_code& error) {
    if (error) return;
    armed_ = never;
    begin_handler();
  });
}

void Loop::post(std::function<void()> function) {
  asio::post(context_, [this, function = std::move(function)] {
    begin_handler();
    function();
  });
}

void Loop::run() {
  const auto work = asio::make_work_guard(context_);
  context_.run();
}

}  // namespace sotto
