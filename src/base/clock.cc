#include "base/clock.h"

#include <cassert>
#include <ctime>

namespace sotto {

Instant monotonic_now() {
  timespec now{};
  const int result = ::clock_gettime(CLOCK_BOOTTIME, &now);
  assert(result == 0);
  return Instant(std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec});
}

std::chrono::system_clock::time_point wall_now() {
  return std::chrono::system_clock::now();
}

}  // namespace sotto
