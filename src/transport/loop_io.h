// The event loop of one worker, in turns: what is ready is handled, then what the handlers produced
// leaves in as few system calls as possible. Test: tests/integration.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "transport/socket_io.h"

namespace sotto {

class Loop {
 public:
  // One thread runs it; others may only post.
  Loop() : context_(1), timer_(context_) {}

  asio::io_context& context() { return context_; }

  // Time of the current turn; the core reads it through a reference.
  const Instant& now() const { return now_; }

  // Called once per turn in which request_turn_end() was, after all that was ready has been
  // handled. Returns when it wants to be called next.
  void set_turn_end(std::function<Instant()> end_turn) { end_turn_ = std::move(end_turn); }
  void request_turn_end();

  void run();
  void stop() { context_.stop(); }

  // Runs on the loop's thread in a turn of its own. Thread-safe.
  void post(std::function<void()> function);

  // Every handler begins with this.
  void begin_handler() {
    now_ = monotonic_now();
    request_turn_end();
  }

 private:
  void end_turn();
  void arm(Instant deadline);

  asio::io_context context_;
  asio::steady_timer timer_;
  std::function<Instant()> end_turn_;
  Instant now_ = monotonic_now();
  Instant armed_ = never;
  bool turn_end_requested_ = false;
};

// A descriptor the loop watches. Closing it cancels its handlers, but one that was already due
// still runs: handlers find their object by an id that goes stale, never by its address.
class Watch {
 public:
  Watch(Loop& loop, UniqueFd fd) : loop_(loop), descriptor_(loop.context(), fd.release()) {}

  int fd() { return descriptor_.native_handle(); }

  template <class Handler>
  void when_readable(Handler handler) {
    wait(asio::posix::stream_descriptor::wait_read, std::move(handler));
  }
  template <class Handler>
  void when_writable(Handler handler) {
    wait(asio::posix::stream_descriptor::wait_write, std::move(handler));
  }

 private:
  template <class Handler>
  void wait(asio::posix::stream_descriptor::wait_type what, Handler handler) {
    descriptor_.async_wait(what, [&loop = loop_, handler](const std::error_code& error) {
      if (error) return;  // closed: whoever closed it knows
      loop.begin_handler();
      handler();
    });
  }

  Loop& loop_;
  asio::posix::stream_descriptor descriptor_;
};

}  // namespace sotto
