#include <algorithm>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/standard_error.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;

// Whether there is room for PIPE_BUF octets; pipe(7).
bool has_room(milliseconds patience) {
  pollfd standard_error{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&standard_error, 1, static_cast<int>(patience.count())) > 0;
}

// As much as there is certainly room for, so that the call never waits. False if nothing more can
// be written.
bool write_part(std::string_view& text) {
  const std::size_t part = std::min<std::size_t>(text.size(), PIPE_BUF);
  const ssize_t written = ::write(STDERR_FILENO, text.data(), part);
  if (written < 0) return errno == EINTR || errno == EAGAIN;
  text.remove_prefix(static_cast<std::size_t>(written));
  return true;
}

}  // namespace

void write_to_standard_error(std::string_view text) {
  constexpr milliseconds look_again{60'000};
  while (!text.empty()) {
    if (has_room(look_again) && !write_part(text)) return;
  }
}

void tell_standard_error(std::string_view text, milliseconds patience) {
  const Instant until = monotonic_now() + patience;
  while (!text.empty()) {
    const auto left = std::chrono::ceil<milliseconds>(until - monotonic_now());
    if (has_room(std::max(left, milliseconds{0}))) {
      if (!write_part(text)) return;
    } else if (left <= milliseconds{0}) {
      return;
    }
  }
}

}  // namespace sotto
