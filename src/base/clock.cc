#include "base/clock.h"

namespace sotto {

Instant monotonic_now() {
  return std::chrono::steady_clock::now();
}

std::chrono::system_clock::time_point wall_now() {
  return std::chrono::system_clock::now();
}

}  // namespace sotto
