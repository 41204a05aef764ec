// Sockets of a WatchSet on a real loop, each the end of a socket pair.
#include <array>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "transport/watch_set_io.h"

namespace sotto {
namespace {

class WatchSetTest : public testing::Test {
 protected:
  struct Pair {
    std::optional<WatchedSocket> ours;
    UniqueFd theirs;

    void say(const std::string& text) const {
      ASSERT_EQ(::send(theirs.get(), text.data(), text.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(text.size()));
    }
  };

  WatchSetTest() {
    loop.set_turn_end([this] {
      set.end_turn();
      return never;
    });
  }

  void open(Pair& pair) {
    std::array<int, 2> fds{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    pair.ours.emplace(set, UniqueFd{fds[0]});
    pair.theirs = UniqueFd{fds[1]};
  }

  // Until nothing is ready; returns how many handlers of the loop that took.
  std::size_t run() {
    std::size_t handlers = 0;
    while (handlers < spinning) {
      const std::size_t now = loop.context().poll_one();
      if (now == 0) break;
      handlers += now;
    }
    return handlers;
  }

  // What is in one octet, or "end" or "none".
  static std::string read(Pair& pair) {
    char octet = 0;
    const ssize_t count = ::recv(pair.ours->fd(), &octet, 1, MSG_DONTWAIT);
    if (count == 1) return {octet};
    return count == 0 ? "end" : "none";
  }

  static constexpr std::size_t spinning = 1'000;

  Loop loop;
  WatchSet set{loop};
  std::vector<std::string> heard;
};

TEST_F(WatchSetTest, AHandlerIsCalledOnceForEachTimeItWaits) {
  Pair pair;
  open(pair);
  pair.ours->when_readable([&] { heard.push_back(read(pair)); });
  run();
  EXPECT_TRUE(heard.empty());
  pair.say("ab");
  run();
  EXPECT_EQ(heard, std::vector<std::string>{"a"});
}

TEST_F(WatchSetTest, WhatWasLeftUnreadIsReadableWhenSomebodyWaitsAgain) {
  Pair pair;
  open(pair);
  const std::function<void()> again = [&] {
    heard.push_back(read(pair));
    if (heard.size() < 3) pair.ours->when_readable(again);
  };
  pair.ours->when_readable(again);
  pair.say("abc");
  run();
  EXPECT_EQ(heard, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(WatchSetTest, WhatNobodyWaitsForKeepsTheLoopQuiet) {
  Pair silent;
  open(silent);
  silent.ours->when_readable([&] { heard.push_back(read(silent)); });
  silent.say("ab");
  silent.theirs = {};  // and hangs up
  EXPECT_LT(run(), spinning);
  EXPECT_EQ(heard, std::vector<std::string>{"a"});
  silent.ours->when_readable([&] { heard.push_back(read(silent)); });
  EXPECT_LT(run(), spinning);
  EXPECT_EQ(heard, (std::vector<std::string>{"a", "b"}));
}

TEST_F(WatchSetTest, TheEndOfAStreamIsReadable) {
  Pair pair;
  open(pair);
  pair.ours->when_readable([&] { heard.push_back(read(pair)); });
  pair.theirs = {};
  run();
  EXPECT_EQ(heard, std::vector<std::string>{"end"});
}

TEST_F(WatchSetTest, AHandlerMayCloseItsSocketAndOthersThatAreReady) {
  std::array<Pair, 3> pairs;
  for (Pair& pair : pairs) open(pair);
  for (Pair& pair : pairs) {
    pair.ours->when_readable([&] {
      heard.push_back(read(pair));
      for (Pair& each : pairs) each.ours.reset();
    });
    pair.say("x");
  }
  run();
  EXPECT_EQ(heard, std::vector<std::string>{"x"});
}

TEST_F(WatchSetTest, WritableWhenThereIsRoomAgain) {
  Pair pair;
  open(pair);
  const std::vector<char> much(65'536);
  while (::send(pair.ours->fd(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  pair.ours->when_readable([&] { heard.push_back(read(pair)); });
  pair.ours->when_writable([&] { heard.push_back("room"); });
  run();
  EXPECT_TRUE(heard.empty());
  std::vector<char> taken(much.size());
  while (::recv(pair.theirs.get(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
  }
  EXPECT_LT(run(), spinning);
  EXPECT_EQ(heard, std::vector<std::string>{"room"});
  pair.say("x");
  run();
  EXPECT_EQ(heard, (std::vector<std::string>{"room", "x"}));
}

TEST_F(WatchSetTest, WhoWaitsForRoomHearsOfAHangUp) {
  Pair pair;
  open(pair);
  const std::vector<char> much(65'536);
  while (::send(pair.ours->fd(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  pair.ours->when_writable([&] { heard.push_back("told"); });
  pair.theirs = {};
  EXPECT_LT(run(), spinning);
  EXPECT_EQ(heard, std::vector<std::string>{"told"});
}

TEST_F(WatchSetTest, MoreThanOneTurnTakesAreAllServed) {
  std::vector<Pair> pairs(300);
  std::size_t served = 0;
  for (Pair& pair : pairs) {
    open(pair);
    pair.ours->when_readable([&] {
      ++served;
      read(pair);
    });
    pair.say("x");
  }
  run();
  EXPECT_EQ(served, pairs.size());
}

}  // namespace
}  // namespace sotto
