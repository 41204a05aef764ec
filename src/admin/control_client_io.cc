#include "admin/control_client_io.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>

#include "admin/control_socket_io.h"

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;

bool is_socket(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode);
}

std::string silence_fault(const std::string& path, std::chrono::seconds patience) {
  return "sotto on " + path + " did not answer within " + std::to_string(patience.count()) + " s";
}

std::string connect_fault(const std::string& path, int code) {
  if (code == ENOENT || code == ENOTDIR) {
    return path + " does not exist: sotto is not running, or uses another control.socket";
  }
  // Any file that is there but is no socket refuses connections, too.
  if (code == ECONNREFUSED && !is_socket(path)) return path + " is not a socket";
  if (code == ECONNREFUSED) {
    return "nobody listens on " + path + ": the sotto that made it was killed";
  }
  if (code == EACCES || code == EPERM) {
    return "not allowed to use " + path + ": be the user that sotto runs as, or root";
  }
  return "cannot use " + path + ": " + std::strerror(code);
}

ControlResult receive_all(int fd, const std::string& path, std::chrono::seconds patience) {
  std::string text;
  std::array<char, 65'536> buffer{};
  while (true) {
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (count == 0) return text;
    if (count > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Failure(silence_fault(path, patience));
    } else if (errno == ECONNRESET && !text.empty()) {
      return text;  // it closed before it had read everything
    } else if (errno != EINTR) {
      return Failure("no answer from " + path + ": " + std::strerror(errno));
    }
  }
}

}  // namespace

ControlResult ask_control(const std::string& path, const ControlCall& call,
                          std::chrono::seconds patience) {
  if (path.size() > control_path_octets_max) return Failure(path + " is too long for a socket");
  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) return Failure(connect_fault(path, errno));
  const timeval silence_max{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &silence_max, sizeof silence_max);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &silence_max, sizeof silence_max);
  const sockaddr_un address = to_kernel(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    // Its queue is full, and nobody took from it all the while.
    if (errno == EAGAIN) return Failure(silence_fault(path, patience));
    return Failure(connect_fault(path, errno));
  }
  const std::string text = call_text(call);
  // A line fits into the buffer of a new socket. If the server has already refused, its answer
  // says why.
  static_cast<void>(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL));
  const ControlResult answer = receive_all(fd.get(), path, patience);
  if (!answer) return answer;
  if (answer->empty()) return Failure("sotto on " + path + " closed without an answer");
  return parse_answer(*answer);
}

}  // namespace sotto
