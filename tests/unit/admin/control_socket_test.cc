#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/control_socket_io.h"
#include "temporary_directory.h"

namespace sotto {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat file {};
  EXPECT_EQ(::lstat(path.c_str(), &file), 0) << path;
  return file.st_mode;
}

bool connects(const std::string& path) {
  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const sockaddr_un address = to_kernel(path);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// A socket file whose process has gone without removing it.
void leave_behind(const std::string& path) {
  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const sockaddr_un address = to_kernel(path);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(fd.get(), 1), 0);
}

TEST(ControlSocket, OnlyTheOwnerMayUseIt) {
  const TemporaryDirectory directory;
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}}) {
    const mode_t before = ::umask(mask);
    const auto socket = ControlSocket::open(directory / "s");
    ::umask(before);
    ASSERT_TRUE(socket.has_value()) << socket.error();
    EXPECT_EQ(mode_of(directory / "s"), S_IFSOCK | S_IRUSR | S_IWUSR);
    EXPECT_TRUE(connects(directory / "s"));
  }
}

TEST(ControlSocket, ItsFileGoesWithIt) {
  const TemporaryDirectory directory;
  { ASSERT_TRUE(ControlSocket::open(directory / "s").has_value()); }
  EXPECT_FALSE(std::filesystem::exists(directory / "s"));
}

TEST(ControlSocket, AForeignFileStays) {
  const TemporaryDirectory directory;
  {
    const auto socket = ControlSocket::open(directory / "s");
    ASSERT_TRUE(socket.has_value());
    std::filesystem::remove(directory / "s");
    std::ofstream(directory / "s") << "somebody else's";
  }
  EXPECT_TRUE(std::filesystem::exists(directory / "s"));
}

TEST(ControlSocket, ADeadOnesFileIsReplaced) {
  const TemporaryDirectory directory;
  leave_behind(directory / "s");
  EXPECT_FALSE(connects(directory / "s"));
  const auto socket = ControlSocket::open(directory / "s");
  ASSERT_TRUE(socket.has_value()) << socket.error();
  EXPECT_TRUE(connects(directory / "s"));
}

TEST(ControlSocket, ALiveOneIsNeverTaken) {
  const TemporaryDirectory directory;
  const auto first = ControlSocket::open(directory / "s");
  ASSERT_TRUE(first.has_value());
  const auto second = ControlSocket::open(directory / "s");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error(), "another sotto listens on " + (directory / "s") +
                                "; stop it, or name another control.socket");
  EXPECT_TRUE(connects(directory / "s"));
}

TEST(ControlSocket, WhatIsNoSocketIsNeverRemoved) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "file") << "kept";
  std::filesystem::create_directory(directory / "directory");
  leave_behind(directory / "dead");
  std::filesystem::create_symlink(directory / "dead", directory / "link");
  for (const char* name : {"file", "directory", "link"}) {
    const auto socket = ControlSocket::open(directory / name);
    ASSERT_FALSE(socket.has_value()) << name;
    EXPECT_EQ(socket.error(), (directory / name) + " is there and is not a socket");
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(directory / name)));
  }
}

TEST(ControlSocket, WithoutADirectoryThereIsNone) {
  const TemporaryDirectory directory;
  const auto socket = ControlSocket::open(directory / "missing/s");
  ASSERT_FALSE(socket.has_value());
  EXPECT_EQ(socket.error(),
            "cannot open the directory " + (directory / "missing") + ": No such file or directory");
  const auto too_long = ControlSocket::open(directory / std::string(108, 'x'));
  ASSERT_FALSE(too_long.has_value());
}

}  // namespace
}  // namespace sotto
