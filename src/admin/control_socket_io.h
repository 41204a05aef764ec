// The control socket's place in the file system: taken without a moment in which others could
// connect, never taken from somebody who is alive. Test: tests/unit/admin/control_socket_test.cc.
#pragma once

#include <string>
#include <sys/stat.h>
#include <sys/un.h>
#include <tl/expected.hpp>

#include "transport/socket_io.h"

namespace sotto {

// unix(7): sun_path with its final zero.
inline constexpr std::size_t control_path_octets_max = sizeof(sockaddr_un::sun_path) - 1;

class ControlSocket {
 public:
  // Bound to path with mode 0600, and listening. The socket file of a process that has died is
  // replaced; a live one and any other kind of file are not, and are an error: one line, with path.
  static tl::expected<ControlSocket, std::string> open(const std::string& path);

  ControlSocket(ControlSocket&&) = default;
  ControlSocket& operator=(ControlSocket&&) = delete;
  // Removes the file, if it is still this socket's.
  ~ControlSocket();

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  ControlSocket(UniqueFd fd, std::string path, const struct stat& file)
      : fd_(std::move(fd)), path_(std::move(path)), device_(file.st_dev), inode_(file.st_ino) {}

  UniqueFd fd_;
  std::string path_;
  dev_t device_;
  ino_t inode_;
};

// path as system calls take it; at most control_path_octets_max octets.
sockaddr_un to_kernel(const std::string& path);

}  // namespace sotto
