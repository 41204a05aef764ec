// What the kernel tells of the network and the clock.
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <thread>

#include "transport/clock_watch_io.h"
#include "transport/network_watch_io.h"

namespace sotto {
namespace {

bool set_loopback(bool up) {
  const UniqueFd fd{::socket(AF_INET, SOCK_DGRAM, 0)};
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  if (::ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) return false;
  const int flags = up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP;
  request.ifr_flags = static_cast<short>(flags);
  return ::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
}

// In a network namespace of its thread's own.
TEST(NetworkWatch, TellsThatALinkCameUp) {
  bool possible = true;
  int changes = 0;
  std::thread thread([&] {
    possible = ::unshare(CLONE_NEWNET) == 0;
    if (!possible) return;
    Loop loop;
    auto watch = NetworkWatch::open(loop, [&] { ++changes; });
    ASSERT_TRUE(watch) << watch.error().what;
    loop.set_turn_end([&] {
      if ((*watch)->next_deadline() <= loop.now()) (*watch)->on_deadline();
      if (changes > 0 && (*watch)->next_deadline() == never) loop.stop();
      return (*watch)->next_deadline();
    });
    loop.post([] { EXPECT_TRUE(set_loopback(true)); });
    loop.run();
  });
  thread.join();
  if (!possible) GTEST_SKIP() << "a network namespace needs CAP_SYS_ADMIN";
  // At once, and again after what came with it: its addresses and routes.
  EXPECT_GE(changes, 1);
  EXPECT_LE(changes, 2);
}

TEST(ClockWatch, IsSilentWhileNobodySetsTheClock) {
  Loop loop;
  int changes = 0;
  const auto watch = ClockWatch::open(loop, [&] { ++changes; });
  ASSERT_TRUE(watch) << watch.error().what;
  loop.post([&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(changes, 0);
}

}  // namespace
}  // namespace sotto
