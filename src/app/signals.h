// The signals that sotto acts upon while it serves, taken by a thread of their own: whatever the
// others wait for, a second SIGTERM ends the process. See doc/decisions/0038. Test:
// tests/integration/test_signals.py, test_stopping.py.
#pragma once

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

namespace sotto {

// From the first SIGTERM on. Queries in progress have 8 s of it, and saving the cache the rest; the
// service file's TimeoutStopSec is a second more.
inline constexpr unsigned stopping_seconds_max = 19;

class Signals {
 public:
  // Before any other thread is made, so that all of them inherit the mask. From now on the first
  // SIGTERM or SIGINT starts the time in which the process ends, cleanly or not; a second one, and
  // SIGQUIT, end it at once.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // SIGHUP; or SIGTERM or SIGINT, once it came; 0 when none came within the time.
  int wait(std::chrono::seconds time);

 private:
  void listen();
  bool take(int signal);

  sigset_t listened_to_{};
  std::mutex mutex_;
  std::condition_variable came_;
  int stop_ = 0;         // the signal that asked for it
  bool reload_ = false;  // asked for
  bool over_ = false;
  std::thread thread_;
};

}  // namespace sotto
