#include "transport/socket_io.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <optional>
#include <system_error>
#include <unistd.h>

namespace sotto {
namespace {

// Bursts of a thousand queries overflow the kernel's default of 212,992 octets, which counts whole
// buffers, not payload. The kernel caps this at net.core.rmem_max unless we may force it.
constexpr int datagram_buffer_octets = 4 * 1'024 * 1'024;
// The second line of defence against peers that vanished: the first are the deadlines of queries. A
// connection that nobody asks anything for ten seconds is usually closed anyway.
constexpr int unacknowledged_milliseconds_max = 10'000;
constexpr int keepalive_after_seconds = 10;
constexpr int keepalive_every_seconds = 3;
constexpr int keepalive_probes = 3;
constexpr int accept_backlog = 4'096;  // the kernel caps it at net.core.somaxconn

SystemError error_of(const char* call, const SocketAddress& address) {
  const int code = errno;
  return {code,
          std::string{call} + " " + address.text() + ": " + std::generic_category().message(code)};
}

UniqueFd new_socket(SocketKind kind, const SocketAddress& address) {
  const int type = kind == SocketKind::datagram ? SOCK_DGRAM : SOCK_STREAM;
  const int family = address.ip.is_v4() ? AF_INET : AF_INET6;
  return UniqueFd{::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

void set_option(int fd, int level, int name, int value) {
  // Best effort: none of the options set through here is needed for correctness.
  static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
}

void enlarge_buffers(int fd) {
  const int octets = datagram_buffer_octets;
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) != 0) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, octets);
  }
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets) != 0) {
    set_option(fd, SOL_SOCKET, SO_SNDBUF, octets);
  }
}

void watch_for_dead_peer(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_milliseconds_max);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_after_seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_every_seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
}

SystemError local_error(const std::string& what, const SocketAddress& address,
                        const char* capability) {
  const int code = errno;
  SystemError error{code, "connect to " + address.text() + " " + what + ": " +
                              std::generic_category().message(code)};
  if (code == EPERM) error.what += std::string{"; sotto needs "} + capability;
  return error;
}

// Nothing, or why packets cannot leave from there.
std::optional<SystemError> leave_from(int fd, const LocalEnd& local, const SocketAddress& peer) {
  if (!local.interface.empty() &&
      ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, local.interface.data(),
                   static_cast<socklen_t>(local.interface.size())) != 0) {
    return local_error("over interface " + local.interface, peer, "CAP_NET_RAW");
  }
  if (local.mark != 0 &&
      ::setsockopt(fd, SOL_SOCKET, SO_MARK, &local.mark, sizeof local.mark) != 0) {
    return local_error("with mark " + std::to_string(local.mark), peer, "CAP_NET_ADMIN");
  }
  if (!local.source) return {};
  // The port is chosen when connecting, so that as many connections as ports can leave from here to
  // each upstream, not in all.
  set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  const KernelAddress source = to_kernel({*local.source, 0});
  if (::bind(fd, source.data(), source.octets) != 0) {
    return local_error("from " + local.source->text(), peer, "CAP_NET_RAW");
  }
  return {};
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

KernelAddress to_kernel(const SocketAddress& address) {
  KernelAddress kernel;
  const auto octets = address.ip.octets();
  if (address.ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, octets.data(), octets.size());
    std::memcpy(&kernel.storage, &v4, sizeof v4);
    kernel.octets = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    v6.sin6_scope_id = address.ip.scope();
    std::memcpy(&v6.sin6_addr, octets.data(), octets.size());
    std::memcpy(&kernel.storage, &v6, sizeof v6);
    kernel.octets = sizeof v6;
  }
  return kernel;
}

SocketAddress from_kernel(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    return {IpAddress::v4(octets), ntohs(v4.sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
    return {IpAddress::v6(octets, v6.sin6_scope_id), ntohs(v6.sin6_port)};
  }
  return {};
}

tl::expected<UniqueFd, SystemError> open_listener(SocketKind kind, const SocketAddress& address,
                                                  bool first) {
  UniqueFd fd = new_socket(kind, address);
  if (!fd) return tl::unexpected(error_of("listen on", address));
  // Each family has its own socket, so [::]:53 and 0.0.0.0:53 do not collide.
  if (!address.ip.is_v4()) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (kind == SocketKind::stream) {
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR,
               1);  // connections in TIME_WAIT do not block a restart
    set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);  // inherited by what is accepted
  } else {
    enlarge_buffers(fd.get());
  }
  if (!first) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  const KernelAddress kernel = to_kernel(address);
  if (::bind(fd.get(), kernel.data(), kernel.octets) != 0) {
    return tl::unexpected(error_of("listen on", address));
  }
  if (kind == SocketKind::stream && ::listen(fd.get(), accept_backlog) != 0) {
    return tl::unexpected(error_of("listen on", address));
  }
  if (first) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  return fd;
}

tl::expected<SocketAddress, std::string> adopt_listener(SocketKind kind, int fd) {
  const auto option = [fd](int name) {
    int value = -1;
    socklen_t octets = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &octets) == 0 ? value : -1;
  };
  const auto none = [](const char* why) { return tl::unexpected(std::string{why}); };
  const bool stream = kind == SocketKind::stream;
  const int family = option(SO_DOMAIN);
  if (family != AF_INET && family != AF_INET6) return none("is not a socket of IPv4 or IPv6");
  if (option(SO_TYPE) != (stream ? SOCK_STREAM : SOCK_DGRAM)) {
    return none(stream ? "is no stream socket; write ListenStream="
                       : "is no datagram socket; write ListenDatagram=");
  }
  if (stream && option(SO_ACCEPTCONN) != 1) return none("does not listen; write Accept=no");
  KernelAddress bound;
  bound.octets = sizeof bound.storage;
  if (::getsockname(fd, bound.data(), &bound.octets) != 0) return none("has no address");
  const SocketAddress address = from_kernel(bound.data());
  if (address.port == 0) return none("is not bound to a port");
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return none("cannot be made non-blocking");
  }
  if (stream) {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  } else {
    enlarge_buffers(fd);
  }
  return address;
}

bool takes_both_families(int fd) {
  int only_v6 = 1;
  socklen_t octets = sizeof only_v6;
  return ::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &octets) == 0 && only_v6 == 0;
}

tl::expected<UniqueFd, SystemError> begin_connect(SocketKind kind, const SocketAddress& address,
                                                  const LocalEnd& local) {
  UniqueFd fd = new_socket(kind, address);
  if (!fd) return tl::unexpected(error_of("connect to", address));
  if (kind == SocketKind::stream) {
    set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    watch_for_dead_peer(fd.get());
  }
  if (auto error = leave_from(fd.get(), local, address)) return tl::unexpected(std::move(*error));
  const KernelAddress kernel = to_kernel(address);
  if (::connect(fd.get(), kernel.data(), kernel.octets) != 0 && errno != EINPROGRESS) {
    return tl::unexpected(error_of("connect to", address));
  }
  return fd;
}

std::string local_address_towards(const SocketAddress& address, const LocalEnd& local) {
  // Connecting a datagram socket asks the routing, no more.
  const auto fd = begin_connect(SocketKind::datagram, address, local);
  KernelAddress own;
  own.octets = sizeof own.storage;
  if (!fd || ::getsockname(fd->get(), own.data(), &own.octets) != 0) return {};
  return from_kernel(own.data()).ip.text();
}

int connect_result(int fd) {
  int code = 0;
  socklen_t octets = sizeof code;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &octets) != 0) return errno;
  return code;
}

bool is_no_route(int code) {
  return code == ENETUNREACH || code == EADDRNOTAVAIL || code == EAFNOSUPPORT || code == ENODEV;
}

}  // namespace sotto
