// The system calls that replace a file, so that tests can let each of them fail or be the last.
#pragma once

#include <cstddef>
#include <string>
#include <sys/types.h>

namespace sotto {

// All return as the calls they are named after, with errno.
class FileCalls {
 public:
  virtual ~FileCalls() = default;

  // For writing, only for its owner; fails if there is anything of this name, a link included.
  virtual int create(const std::string& path);
  // What is there, for locking it; neither follows a link nor waits for anything.
  virtual int open_existing(const std::string& path);
  // flock(2), without waiting: EWOULDBLOCK if another descriptor has it.
  virtual int lock(int fd);
  virtual int open_directory(const std::string& path);
  virtual ssize_t write(int fd, const void* octets, std::size_t count);
  virtual int sync(int fd);
  virtual int close(int fd);
  virtual int rename(const std::string& from, const std::string& to);
  virtual int unlink(const std::string& path);
};

}  // namespace sotto
