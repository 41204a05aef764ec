// Replaces a file as a whole or not at all, whatever happens meanwhile and whoever else tries.
// Tests: tests/unit/app/cache_file_test.cc, tests/unit/app/private_file_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "app/file_calls.h"
#include "transport/socket_io.h"

namespace sotto {

// Or why not, in words for a log line.
using FileDone = tl::expected<void, std::string>;

// "cannot write FILE: No space left on device; free some space". error: an errno.
std::string file_trouble(std::string_view what, int error);

// What stands under the name must be a file, or nothing: /dev/null and links stay what they are.
FileDone check_replaceable(const std::string& path);

// A new file that takes the place of path when it is complete, else vanishes. Only who has it
// locked may rename or remove it: several processes do not disturb each other, and one that is not
// locked was left by a process that was killed.
class FileReplacement {
 public:
  FileReplacement(std::string path, FileCalls& calls)
      : path_(std::move(path)), new_path_(path_ + ".new"), calls_(calls) {}
  ~FileReplacement();
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;

  FileDone create();
  // Why create() failed.
  bool busy() const { return busy_; }
  FileDone write(std::span<const std::uint8_t> octets);
  // The content reaches the disk before the name does, and that is there before the last returns.
  FileDone complete();
  FileDone take_place();
  FileDone sync_directory();

 private:
  FileDone lock(const UniqueFd& fd);
  FileDone remove_left_over();
  FileDone create_locked();

  const std::string path_;
  const std::string new_path_;
  FileCalls& calls_;
  int fd_ = -1;
  UniqueFd lock_;  // the same file: locked until it has its place, closed or not
  bool exists_ = false;
  bool busy_ = false;
};

}  // namespace sotto
