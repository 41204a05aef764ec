#include "admin/control_socket_io.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;

constexpr mode_t owner_only = S_IRUSR | S_IWUSR;
constexpr int backlog = 16;

// Whoever takes or replaces a socket file holds its directory's lock for a few system calls; who
// holds it for a second is up to something else.
constexpr int lock_attempts = 50;
constexpr int lock_pause_milliseconds = 20;

std::string fault(const std::string& what, const std::string& path, int code) {
  return what + " " + path + ": " + std::strerror(code);
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Locked until it is closed.
tl::expected<UniqueFd, std::string> lock_directory(const std::string& directory) {
  UniqueFd fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return Failure(fault("cannot open the directory", directory, errno));
  for (int attempt = 0; attempt < lock_attempts; ++attempt) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK && errno != EINTR) break;
    ::poll(nullptr, 0, lock_pause_milliseconds);
  }
  return Failure(fault("cannot lock the directory", directory, errno));
}

UniqueFd new_socket() {
  return UniqueFd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

enum class Owner { alive, dead, unknown };

// A socket that nobody listens on any more refuses connections.
Owner owner_of(const std::string& path) {
  const UniqueFd fd = new_socket();
  const sockaddr_un address = to_kernel(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return Owner::alive;
  }
  if (errno == EAGAIN) return Owner::alive;  // its backlog is full
  return errno == ECONNREFUSED ? Owner::dead : Owner::unknown;
}

// Leaves path free, or says what is in its place.
tl::expected<void, std::string> make_room(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) {
    if (errno == ENOENT) return {};
    return Failure(fault("cannot look at", path, errno));
  }
  if (!S_ISSOCK(file.st_mode)) return Failure(path + " is there and is not a socket");
  const Owner owner = owner_of(path);
  if (owner == Owner::alive) {
    return Failure("another sotto listens on " + path +
                   "; stop it, or name another control.socket");
  }
  if (owner == Owner::unknown) return Failure("another user's socket is at " + path);
  if (::unlink(path.c_str()) != 0) return Failure(fault("cannot replace", path, errno));
  return {};
}

// The file gets its mode from the socket's own (Linux), as it is made.
tl::expected<UniqueFd, std::string> bind_at(const std::string& path) {
  UniqueFd fd = new_socket();
  const sockaddr_un address = to_kernel(path);
  if (!fd || ::fchmod(fd.get(), owner_only) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Failure(fault("cannot make", path, errno));
  }
  return fd;
}

}  // namespace

sockaddr_un to_kernel(const std::string& path) {
  assert(path.size() <= control_path_octets_max);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

tl::expected<ControlSocket, std::string> ControlSocket::open(const std::string& path) {
  if (path.size() > control_path_octets_max) return Failure(path + " is too long for a socket");
  const auto lock = lock_directory(directory_of(path));
  if (!lock) return Failure(lock.error());
  if (const auto room = make_room(path); !room) return Failure(room.error());
  auto fd = bind_at(path);
  if (!fd) return Failure(fd.error());
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return Failure(fault("cannot look at", path, errno));
  ControlSocket socket(std::move(*fd), path, file);
  // Until listen() nobody can connect.
  constexpr mode_t permissions = S_IRWXU | S_IRWXG | S_IRWXO;
  if ((file.st_mode & permissions) != owner_only)
    return Failure("cannot keep others out of " + path);
  if (::listen(socket.fd(), backlog) != 0) return Failure(fault("cannot listen on", path, errno));
  return socket;
}

// While this process listens nobody replaces the file, so what is compared is what is removed.
ControlSocket::~ControlSocket() {
  if (!fd_) return;
  struct stat file {};
  if (::lstat(path_.c_str(), &file) != 0) return;
  if (file.st_dev == device_ && file.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace sotto
