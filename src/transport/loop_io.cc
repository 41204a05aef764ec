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
void Loop::arm(Instant deadline) {
  if (deadline >= armed_) return;
  armed_ = deadline;
  timer_.expires_at(deadline);
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
