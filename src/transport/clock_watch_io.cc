#include "transport/clock_watch_io.h"

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <sys/timerfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace sotto {
namespace {

// A timer for a time that never comes; what is wanted is that it is cancelled.
bool arm(int fd) {
  itimerspec far_future{};
  far_future.it_value.tv_sec = std::time_t{1} << 33U;  // the year 2242
  return ::timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far_future, nullptr) ==
         0;
}

SystemError last_error() {
  const int code = errno;
  return {code, "timer on the wall clock: " + std::generic_category().message(code)};
}

}  // namespace

tl::expected<std::unique_ptr<ClockWatch>, SystemError> ClockWatch::open(
    Loop& loop, std::function<void()> on_change) {
  UniqueFd fd{::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)};
  if (!fd || !arm(fd.get())) return tl::unexpected(last_error());
  std::unique_ptr<ClockWatch> watch(new ClockWatch(loop, std::move(fd), std::move(on_change)));
  watch->wait();
  return watch;
}

void ClockWatch::wait() {
  watch_.when_readable([this] { on_readable(); });
}

void ClockWatch::on_readable() {
  std::uint64_t expirations = 0;
  const ssize_t count = ::read(watch_.fd(), &expirations, sizeof expirations);
  const bool changed = count > 0 || errno == ECANCELED;
  static_cast<void>(arm(watch_.fd()));  // as it was possible before
  wait();
  if (changed) on_change_();
}

}  // namespace sotto
