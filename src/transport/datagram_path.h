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
    const std::span<const std::uint8_t, 16> v6{peer.v6.sin6_addr.s6_addr};
    // A socket for both families shows IPv4 like this; one host has one form.
    if (IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr)) return v6.last<4>();
    return v6;
  }
};

}  // namespace sotto
