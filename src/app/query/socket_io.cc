#include "app/query/socket_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;

Failure last_error() {
  return Failure(std::strerror(errno));
}

bool try_again() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

OrText<IpAddress> look_up(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found); code != 0) {
    return Failure("no address of " + host + ": " + ::gai_strerror(code));
  }
  const IpAddress address = from_kernel(found->ai_addr).ip;
  ::freeaddrinfo(found);
  return address;
}

OrText<QuerySocket> QuerySocket::datagram(const SocketAddress& server) {
  auto fd = begin_connect(SocketKind::datagram, server);
  if (!fd) return Failure(std::strerror(fd.error().code));
  return QuerySocket(std::move(*fd));
}

OrText<QuerySocket> QuerySocket::stream(const SocketAddress& server, Instant deadline) {
  auto fd = begin_connect(SocketKind::stream, server);
  if (!fd) return Failure(std::strerror(fd.error().code));
  QuerySocket socket(std::move(*fd));
  if (auto ready = socket.wait(POLLOUT, deadline); !ready) return Failure(ready.error());
  if (const int code = connect_result(socket.fd_.get()); code != 0) {
    return Failure(std::strerror(code));
  }
  return socket;
}

OrText<void> QuerySocket::wait(short events, Instant deadline) const {
  using std::chrono::ceil;
  using std::chrono::milliseconds;
  pollfd waiting{fd_.get(), events, 0};
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
    const ssize_t count = ::send(fd_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
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
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (!try_again()) return last_error();
  }
}

}  // namespace sotto
