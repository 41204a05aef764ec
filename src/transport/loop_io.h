// The event loop of one thread, in turns: what is ready is handled, then what the handlers produced
// leaves in as few system calls as possible. One wait in the kernel is the only system call that a
// turn costs by itself: descriptors stay registered, timers are the wait's time-out, and nothing
// that the loop's own thread posts needs a wake-up. Why not a library:
// doc/decisions/0033-an-event-loop-of-our-own.md. Test: tests/unit/transport/loop_test.cc.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <pthread.h>
#include <vector>

#include "base/clock.h"
#include "base/slot_map.h"
#include "transport/socket_io.h"

namespace sotto {

class Loop {
 public:
  using Handler = std::function<void()>;

  // One thread runs it; others may only post() and stop(). Throws std::system_error when there is
  // no descriptor left for it.
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Time of the current handler; the core reads it through a reference.
  const Instant& now() const { return now_; }
  // For a handler that took its time.
  void update_now() { now_ = monotonic_now(); }

  // Called at the end of every turn, after all that was ready has been handled. Returns when it
  // wants to be called next at the latest.
  void set_turn_end(std::function<Instant()> end_turn) { end_turn_ = std::move(end_turn); }

  // Until stop().
  void run();
  // One turn that waits for nothing: handles what is ready. How many handlers it called.
  std::size_t run_ready();
  // Ends run() after the turn at hand. Thread-safe.
  void stop();

  // Runs on the loop's thread, in its next turn, before what is ready then. Thread-safe.
  void post(Handler function);

 private:
  friend class Watch;
  using Id = StaleId<struct WatchTag>;
  struct Watched {
    UniqueFd fd;
    Handler readable;  // empty: nobody waits
    Handler writable;
    std::uint32_t events = 0;  // what the kernel looks for; 0: the descriptor is not registered

    void reset() {
      fd = {};
      readable = writable = {};
      events = 0;
    }
  };

  int milliseconds_to_wait() const;
  std::size_t turn(int timeout_ms);
  std::size_t run_posted();
  void wake();
  void hear_wake_up();
  std::size_t on_event(Id id, std::uint32_t events);
  bool call(Handler& handler);
  void look_for(Id id, Watched& watched, std::uint32_t events);

  UniqueFd epoll_;
  UniqueFd wake_;  // an eventfd, for other threads
  SlotMap<Watched, struct WatchTag> watched_;
  std::function<Instant()> end_turn_;
  Instant now_ = monotonic_now();
  Instant deadline_{};                // when the next turn is due: the first one at once
  std::atomic<pthread_t> runs_on_{};  // the thread in run(); 0: none
  std::atomic<bool> stopped_{false};
  std::atomic<bool> has_posted_{false};
  std::mutex posted_mutex_;
  std::vector<Handler> posted_;
};

// A descriptor that the loop watches, closed with this object. Each handler is called once, and
// may destroy the Watch; a handler that waits again from inside costs no system call. Handlers of
// other objects find these by an id that goes stale, never by address.
class Watch {
 public:
  // The loop outlives the Watch.
  Watch(Loop& loop, UniqueFd fd);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  int fd() { return loop_.watched_.at(id_).fd.get(); }
  // Readable: data, the end of the stream, or an error, which the next system call tells. Takes the
  // place of a handler that waits already.
  void when_readable(Loop::Handler handler);
  void when_writable(Loop::Handler handler);

 private:
  Loop& loop_;
  Loop::Id id_;
};

}  // namespace sotto
