#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/private_file_io.h"
#include "cache_file_world.h"

namespace sotto {
namespace {

using test::content;
using test::TemporaryDirectory;
using test::write_file;

const std::vector<std::uint8_t> text = {'h', 'e', 'l', 'l', 'o'};
constexpr std::size_t octets_max = 100'000;

std::string why_not(const std::string& path) {
  const auto read = read_private_file(path, octets_max);
  return read ? "" : read.error().reason;
}

TEST(PrivateFile, IsReadByItsOwnerAlone) {
  const TemporaryDirectory directory;
  FileCalls calls;
  const std::string path = directory / "file";
  ASSERT_TRUE(write_private_file(path, text, calls));
  EXPECT_EQ(read_private_file(path, octets_max), text);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(directory.files(), 1U);
  for (const mode_t mode : {0640U, 0620U, 0604U, 0602U, 0601U}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(why_not(path), "others than its owner may use it; its mode must be 0600") << mode;
  }
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  ASSERT_EQ(::chown(path.c_str(), 1, 1), 0);
  EXPECT_EQ(why_not(path), "it belongs to another user");
}

TEST(PrivateFile, OnlyFilesAreReadAndReplaced) {
  const TemporaryDirectory directory;
  FileCalls calls;
  const std::string path = directory / "file";
  const auto read = read_private_file(path, octets_max);
  EXPECT_TRUE(!read && read.error().absent);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(why_not(path), "not a regular file");
  EXPECT_EQ(write_private_file(path, text, calls).error(), path + " is not a regular file");
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::symlink("/dev/null", path.c_str()), 0);
  EXPECT_EQ(why_not(path), "a symbolic link is not followed");
  EXPECT_FALSE(write_private_file(path, text, calls));
}

TEST(PrivateFile, IsReadUpToABound) {
  const TemporaryDirectory directory;
  const std::string path = directory / "file";
  write_file(path, std::string(octets_max, 'x'));
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(read_private_file(path, octets_max)->size(), octets_max);
  write_file(path, std::string(octets_max + 1, 'x'));
  EXPECT_EQ(why_not(path), "it is too large");
}

TEST(PrivateFile, StaysAsItWasWhenItCannotBeReplaced) {
  struct Full final : FileCalls {
    ssize_t write(int, const void*, std::size_t) override {
      errno = ENOSPC;
      return -1;
    }
  } full;
  const TemporaryDirectory directory;
  FileCalls calls;
  const std::string path = directory / "file";
  ASSERT_TRUE(write_private_file(path, text, calls));
  EXPECT_EQ(write_private_file(path, std::vector<std::uint8_t>(9), full).error(),
            "cannot write " + path + ".new: No space left on device; free some space");
  EXPECT_EQ(content(path), "hello");
  EXPECT_EQ(directory.files(), 1U);
}

}  // namespace
}  // namespace sotto
