#include "app/query/socket_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;

Failure last_error() {
  return Failure(std::strerror(errno));
}

socklen_t to_sockaddr(const SocketAddress& address, sockaddr_storage& storage) {
  storage = {};
  const auto octets = address.ip.octets();
  if (address.ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, octets.data(), octets.size());
    std::memcpy(&storage, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  v6.sin6_scope_id = address.ip.scope();
  std::memcpy(&v6.sin6_addr, octets.data(), octets.size());
  std::memcpy(&storage, &v6, sizeof v6);
  return sizeof v6;
}

bool try_again() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

QuerySocket::~QuerySocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// A stream's connection may still be in progress afterwards.
OrText<QuerySocket> QuerySocket::open(const SocketAddress& server, int type) {
  const int family = server.ip.is_v4() ? AF_INET : AF_INET6;
  QuerySocket socket(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.descriptor_ < 0) return last_error();
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(server, storage);
  const int connected =
      ::connect(socket.descriptor_, reinterpret_cast<const sockaddr*>(&storage), length);
  if (connected != 0 && errno != EINPROGRESS) return last_error();
  return socket;
}

OrText<QuerySocket> QuerySocket::datagram(const SocketAddress& server) {
  return open(server, SOCK_DGRAM);
}

OrText<QuerySocket> QuerySocket::stream(const SocketAddress& server, Instant deadline) {
  auto socket = open(server, SOCK_STREAM);
  if (!socket) return socket;
  if (auto ready = socket->wait(POLLOUT, deadline); !ready) return Failure(ready.error());
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket->descriptor_, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return Failure(std::strerror(error));
  return socket;
}

OrText<void> QuerySocket::wait(short events, Instant deadline) const {
  using std::chrono::ceil;
  using std::chrono::milliseconds;
  pollfd waiting{descriptor_, events, 0};
  for (Instant now = monotonic_now(); now < deadline; now = monotonic_now()) {
    const auto left = ceil<milliseconds>(deadline - now).count();
    const int ready = ::poll(&waiting, 1, static_cast<int>(left));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return last_error();
  }
  return Failure(timed_out);
}

OrText<void> QuerySocket::send(std::span<const std::uint8_t> octets, Instant deadline) {
  while (!octets.empty()) {
    const ssize_t count = ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      octets = octets.subspan(static_cast<std::size_t>(count));
    } else if (!try_again()) {
      return last_error();
    } else if (auto ready = wait(POLLOUT, deadline); !ready) {
      return ready;
    }
  }
  return {};
}

OrText<std::size_t> QuerySocket::receive(std::span<std::uint8_t> buffer, Instant deadline) {
  for (;;) {  // each turn waits for the socket, and the deadline ends the waiting
    if (auto ready = wait(POLLIN, deadline); !ready) return Failure(ready.error());
    const ssize_t count = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (!try_again()) return last_error();
  }
}

}  // namespace sotto
