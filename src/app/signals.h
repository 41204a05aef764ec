// The signals that sotto acts upon while it serves: they arrive in the main thread only, one at a
// time. See doc/decisions/0038. Test: tests/integration/test_signals.py, test_stopping.py.
#pragma once

#include <csignal>
#include <ctime>

namespace sotto {

// From the first SIGTERM on. Queries in progress have 8 s of it, and saving the cache the rest; the
// service file's TimeoutStopSec is a second more.
inline constexpr unsigned stopping_seconds_max = 19;

class Signals {
 public:
  // Before any thread is made, so that all of them inherit the mask.
  Signals();

  // SIGTERM, SIGINT or SIGHUP; 0 when none came within the time.
  int wait(std::time_t seconds) const;

  // From now on SIGTERM and SIGINT end the process at once, whatever its threads wait for, and so
  // does the end of stopping_seconds_max.
  void begin_to_stop() const;

 private:
  sigset_t waited_for_{};
};

}  // namespace sotto
