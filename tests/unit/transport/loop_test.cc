// Sockets on a real loop, each the end of a socket pair; and what is posted.
#include <array>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "transport/loop_io.h"

namespace sotto {
namespace {

class LoopTest : public testing::Test {
 protected:
  struct Pair {
    std::optional<Watch> ours;
    UniqueFd theirs;

    void say(const std::string& text) const {
      ASSERT_EQ(::send(theirs.get(), text.data(), text.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(text.size()));
    }
  };

  void open(Pair& pair) {
    std::array<int, 2> fds{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    pair.ours.emplace(loop, UniqueFd{fds[0]});
    pair.theirs = UniqueFd{fds[1]};
  }

  // Until nothing is ready; returns how many handlers that took.
  std::size_t run() {
    std::size_t handlers = 0;
    while (handlers < spinning) {
      const std::size_t now = loop.run_ready();
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
  std::vector<std::string> heard;
};

TEST_F(LoopTest, AHandlerIsCalledOnceForEachTimeItWaits) {
  Pair pair;
  open(pair);
  pair.ours->when_readable([&] { heard.push_back(read(pair)); });
  run();
  EXPECT_TRUE(heard.empty());
  pair.say("ab");
  run();
  EXPECT_EQ(heard, std::vector<std::string>{"a"});
}

TEST_F(LoopTest, WhatWasLeftUnreadIsReadableWhenSomebodyWaitsAgain) {
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

TEST_F(LoopTest, WhatNobodyWaitsForKeepsTheLoopQuiet) {
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

TEST_F(LoopTest, TheEndOfAStreamIsReadable) {
  Pair pair;
  open(pair);
  pair.ours->when_readable([&] { heard.push_back(read(pair)); });
  pair.theirs = {};
  run();
  EXPECT_EQ(heard, std::vector<std::string>{"end"});
}

TEST_F(LoopTest, AHandlerMayCloseItsSocketAndOthersThatAreReady) {
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

TEST_F(LoopTest, WritableWhenThereIsRoomAgain) {
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

TEST_F(LoopTest, WhoWaitsForRoomHearsOfAHangUp) {
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

TEST_F(LoopTest, MoreThanOneTurnTakesAreAllServed) {
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

TEST_F(LoopTest, WhatIsPostedRunsInTheNextTurnBeforeWhatIsReady) {
  Pair pair;
  open(pair);
  pair.ours->when_readable([&] {
    heard.push_back(read(pair));
    loop.post([&] { heard.push_back("from a handler"); });
  });
  pair.say("x");
  loop.post([&] {
    heard.push_back("posted");
    loop.post([&] { heard.push_back("from what was posted"); });
  });
  EXPECT_EQ(loop.run_ready(), 2U);
  EXPECT_EQ(heard, (std::vector<std::string>{"posted", "x"}));
  EXPECT_EQ(loop.run_ready(), 2U);
  EXPECT_EQ(heard,
            (std::vector<std::string>{"posted", "x", "from what was posted", "from a handler"}));
  EXPECT_EQ(loop.run_ready(), 0U);
}

TEST_F(LoopTest, ATurnEndsAfterItsHandlersAndNamesTheNext) {
  Pair pair;
  open(pair);
  pair.ours->when_readable([&] { heard.push_back(read(pair)); });
  int turns = 0;
  loop.set_turn_end([&] {
    if (!heard.empty()) heard.push_back("end of turn");
    if (++turns == 2) loop.stop();
    return turns == 1 ? loop.now() : never;  // due at once: run() does not wait for anything else
  });
  pair.say("x");
  loop.run();
  EXPECT_EQ(heard, (std::vector<std::string>{"x", "end of turn", "end of turn"}));
}

TEST_F(LoopTest, OtherThreadsWakeItWithoutMakingItSpin) {
  std::size_t turns = 0;
  loop.set_turn_end([&] {
    ++turns;
    return never;
  });
  constexpr std::size_t posts = 1'000;
  std::size_t ran = 0;
  std::thread other([&] {
    for (std::size_t i = 0; i < posts; ++i) {
      loop.post([&] {
        if (++ran == posts) loop.stop();
      });
    }
  });
  loop.run();
  other.join();
  EXPECT_EQ(ran, posts);
  EXPECT_LE(turns, 2 * posts);  // each post wakes it at most once, and once in vain
}

// As a service manager's socket is, of which it keeps a descriptor of its own.
TEST_F(LoopTest, AClosedWatchIsSilentThoughItsSocketIsOpenElsewhere) {
  Pair pair;
  open(pair);
  const UniqueFd elsewhere{::dup(pair.ours->fd())};
  pair.ours->when_readable([&] { heard.push_back(read(pair)); });
  pair.ours.reset();
  pair.say("x");
  EXPECT_EQ(loop.run_ready(), 0U);
  Pair next;  // takes the place of the closed one
  open(next);
  next.ours->when_readable([&] { heard.push_back(read(next)); });
  EXPECT_EQ(loop.run_ready(), 0U);
  EXPECT_TRUE(heard.empty());
}

}  // namespace
}  // namespace sotto
