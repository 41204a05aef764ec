#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <sys/socket.h>
#include <vector>

#include "admin/control_client_io.h"
#include "admin/control_server_io.h"
#include "temporary_directory.h"

namespace sotto {
namespace {

// Longer than a socket's buffers, so that it leaves in pieces.
constexpr std::size_t long_text_octets = 3'000'000;

class ControlServerTest : public testing::Test {
 protected:
  std::unique_ptr<ControlServer> start(Duration peer_timeout = control_peer_timeout) {
    auto socket = ControlSocket::open(path_);
    EXPECT_TRUE(socket.has_value());
    ControlCommands commands{{"echo",
                              [](std::span<const std::string> arguments) -> ControlResult {
                                return arguments.empty() ? "\n" : arguments.front() + "\n";
                              }},
                             {"long",
                              [](std::span<const std::string>) -> ControlResult {
                                return std::string(long_text_octets, 'x');
                              }},
                             {"fail", [](std::span<const std::string>) -> ControlResult {
                                return tl::unexpected<std::string>("it does that");
                              }}};
    auto server =
        std::make_unique<ControlServer>(std::move(*socket), std::move(commands), peer_timeout);
    server->start();
    return server;
  }

  ControlResult ask(const ControlCall& call) const {
    return ask_control(path_, call, std::chrono::seconds{30});
  }

  // Somebody's socket that does not listen yet.
  UniqueFd bound() const {
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_un address = to_kernel(path_);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  UniqueFd connect() const {
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_un address = to_kernel(path_);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  static void send(const UniqueFd& fd, std::string_view text) {
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  // All up to the end of the stream.
  static std::string receive(const UniqueFd& fd) {
    std::string text;
    std::array<char, 4'096> buffer{};
    while (true) {
      const ssize_t count = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_ / "s";
};

TEST_F(ControlServerTest, AnswersCalls) {
  const auto server = start();
  EXPECT_EQ(ask({"echo", {"this"}}), ControlResult("this\n"));
  EXPECT_EQ(ask({"fail", {}}).error(), "it does that");
  EXPECT_EQ(ask({"none", {}}).error(), "unknown command; known: echo, fail, long");
  EXPECT_EQ(ask({"long", {}})->size(), long_text_octets);
}

TEST_F(ControlServerTest, ACallMayComeInPieces) {
  const auto server = start();
  const UniqueFd fd = connect();
  for (const char* piece : {"e", "cho", " th", "is", "\n"}) send(fd, piece);
  EXPECT_EQ(receive(fd), "ok\nthis\n");
}

TEST_F(ControlServerTest, TheLongestCallIsAnswered) {
  const auto server = start();
  const std::string argument(call_octets_max - 6, 'a');
  EXPECT_EQ(ask({"echo", {argument}}), ControlResult(argument + "\n"));
}

TEST_F(ControlServerTest, WrongLinesAreToldWhatIsRight) {
  const auto server = start();
  struct Case {
    std::string text;
    const char* answer;
  };
  const Case cases[] = {
      {std::string(call_octets_max, 'a'), "error: the line is too long; it may have 2048 octets\n"},
      {std::string(100'000, 'a'), "error: the line is too long; it may have 2048 octets\n"},
      {"echo a\necho b\n", "error: send one line, not more\n"},
      {"\n", "error: send a command and its arguments, single spaces between\n"},
      {std::string("echo \0\n", 7),
       "error: the line holds more than printable ASCII; write names with escapes: \\032\n"},
  };
  for (const Case& c : cases) {
    const UniqueFd fd = connect();
    send(fd, c.text);
    EXPECT_EQ(receive(fd), c.answer);
  }
}

TEST_F(ControlServerTest, ALineWithoutEndIsToldSo) {
  const auto server = start();
  const UniqueFd fd = connect();
  send(fd, "echo a");
  ASSERT_EQ(::shutdown(fd.get(), SHUT_WR), 0);
  EXPECT_EQ(receive(fd), "error: the line has no end; send a line feed behind it\n");
}

TEST_F(ControlServerTest, SlowPeersAreLeftBehind) {
  const auto server = start(std::chrono::milliseconds{50});
  const UniqueFd silent = connect();
  const UniqueFd half = connect();
  send(half, "echo");
  const UniqueFd unread = connect();
  send(unread, "long\n");
  EXPECT_EQ(receive(silent), "");
  EXPECT_EQ(receive(half), "");
  EXPECT_LT(receive(unread).size(), long_text_octets) << "its deadline passed before it read";
  EXPECT_EQ(ask({"echo", {"on"}}), ControlResult("on\n"));
}

TEST_F(ControlServerTest, TooManyPeersAreRefusedAtOnce) {
  const auto server = start();
  std::vector<UniqueFd> held;
  for (std::size_t i = 0; i < control_connections_max; ++i) {
    held.push_back(connect());
    send(held.back(), "ec");
  }
  EXPECT_EQ(ask({"echo", {"more"}}).error(),
            "too many connections are open; try again when they are done");
  send(held.back(), "ho one\n");
  EXPECT_EQ(receive(held.back()), "ok\none\n");
  EXPECT_EQ(ask({"echo", {"again"}}), ControlResult("again\n"));
}

TEST_F(ControlServerTest, AStopRemovesTheFileAndClosesWhatIsOpen) {
  auto server = start();
  const UniqueFd fd = connect();
  EXPECT_EQ(ask({"echo", {"up"}}), ControlResult("up\n"));
  server.reset();
  EXPECT_EQ(receive(fd), "");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlServerTest, WithoutAServerTheClientSaysWhatIsThere) {
  EXPECT_EQ(ask({"echo", {}}).error(),
            path_ + " does not exist: sotto is not running, or uses another control.socket");
  { std::ofstream(path_) << "a file"; }
  EXPECT_EQ(ask({"echo", {}}).error(), path_ + " is not a socket");
  std::filesystem::remove(path_);
  { const UniqueFd gone = bound(); }
  EXPECT_EQ(ask({"echo", {}}).error(),
            "nobody listens on " + path_ + ": the sotto that made it was killed");
}

TEST_F(ControlServerTest, AMuteServerIsNotWaitedForForever) {
  const UniqueFd mute = bound();
  ASSERT_EQ(::listen(mute.get(), 0), 0);
  const ControlResult answer = ask_control(path_, {"echo", {}}, std::chrono::seconds{1});
  EXPECT_EQ(answer.error(), "sotto on " + path_ + " did not answer within 1 s");
  // The first is still in its queue, which is full now.
  const ControlResult next = ask_control(path_, {"echo", {}}, std::chrono::seconds{1});
  EXPECT_EQ(next.error(), "sotto on " + path_ + " did not answer within 1 s");
}

}  // namespace
}  // namespace sotto
