#include "base/clock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace sotto {
namespace {

TEST(Clock, NeverGoesBack) {
  Instant before = monotonic_now();
  for (int i = 0; i < 100'000; ++i) {
    const Instant now = monotonic_now();
    ASSERT_GE(now, before);
    before = now;
  }
}

// Exit codes of a child in a time namespace.
constexpr int counted = 0;
constexpr int not_counted = 1;
constexpr int not_permitted = 2;

// What a suspension of five days leaves behind, as seen by processes of a time namespace: the boot
// clock is ahead of the other by that much.
int child_after_suspension(Instant before) {
  constexpr std::string_view offset = "boottime 432000 0\n";
  if (::unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0) return not_permitted;
  const int fd = ::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, offset.data(), offset.size()) < 0) return not_permitted;
  const pid_t inside = ::fork();  // only children of the caller are in its new time namespace
  if (inside == 0) {
    const bool days_went_by = monotonic_now() - before >= std::chrono::hours{5 * 24};
    ::_exit(days_went_by ? counted : not_counted);
  }
  int status = 0;
  if (inside < 0 || ::waitpid(inside, &status, 0) != inside) return not_permitted;
  return WIFEXITED(status) ? WEXITSTATUS(status) : not_counted;
}

TEST(Clock, CountsTheTimeTheMachineWasSuspended) {
  const Instant before = monotonic_now();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(child_after_suspension(before));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == not_permitted) GTEST_SKIP() << "no time namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), counted);
}

}  // namespace
}  // namespace sotto
