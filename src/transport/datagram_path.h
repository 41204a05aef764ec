// The way a datagram came, which is the way its response goes: plain data, no socket.
#pragma once

#include <cstdint>
#include <netinet/in.h>
#include <span>

namespace sotto {

struct DatagramPath {
  union Peer {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  Peer peer{};
  // On a wildcard socket: the address that was asked, and the interface (RFC 2181 §4.1). IPv4 is
  // stored in the last four octets.
  in6_pktinfo asked{};
  bool has_asked = false;

  bool is_v4() const { return peer.any.sa_family == AF_INET; }
  // The client's address, 4 or 16 octets; valid as long as this object.
  std::span<const std::uint8_t> address() const {
    if (is_v4()) return {reinterpret_cast<const std::uint8_t*>(&peer.v4.sin_addr), 4};
    return {reinterpret_cast<const std::uint8_t*>(&peer.v6.sin6_addr), 16};
  }
};

}  // namespace sotto
