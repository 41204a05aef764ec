// Sockets as plain descriptors: made, bound, connected; and addresses in the kernel's form.
// Test: tests/integration.
#pragma once

#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <tl/expected.hpp>
#include <utility>

#include "transport/address.h"
#include "transport/local_end.h"

namespace sotto {

// Owns a descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// An address as system calls take it.
struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t octets = 0;

  sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

KernelAddress to_kernel(const SocketAddress& address);
// IPv4 or IPv6; anything else becomes 0.0.0.0:0.
SocketAddress from_kernel(const sockaddr* address);

// What a system call said: errno, and which call for the message.
struct SystemError {
  int code = 0;
  std::string what;  // "bind 127.0.0.1:53: Address already in use"
};

enum class SocketKind { datagram, stream };

// A non-blocking socket bound to address (and listening, for streams). first: the first of this
// process on this address. It is bound without SO_REUSEPORT, so a port someone else holds is an
// error, and shares the port only afterwards, with the others of this process.
tl::expected<UniqueFd, SystemError> open_listener(SocketKind kind, const SocketAddress& address,
                                                  bool first);

// Makes a socket that somebody else opened what open_listener() makes, as far as that can still be;
// its address, or why it is none, in words that follow "it ": "is not bound". fd stays the
// caller's.
tl::expected<SocketAddress, std::string> adopt_listener(SocketKind kind, int fd);

// Do clients of IPv4 reach this IPv6 socket, too? Those of open_listener() they do not.
bool takes_both_families(int fd);

// A non-blocking socket on its way to address: connected, or, for streams, in progress (wait until
// writable, then ask connect_result()). Whatever local asks for is in force before anything leaves,
// or it is an error that says what to do.
tl::expected<UniqueFd, SystemError> begin_connect(SocketKind kind, const SocketAddress& address,
                                                  const LocalEnd& local = {});
// 0, or the errno the connection attempt ended with.
int connect_result(int fd);

// The local address that connections to address would have now, as text; empty without a route.
// Sends nothing.
std::string local_address_towards(const SocketAddress& address, const LocalEnd& local = {});

// Is this the error of a host without a route, or without an address, of this family; or without
// the address or interface that connections are to leave from? Each may come and go.
bool is_no_route(int code);

}  // namespace sotto
