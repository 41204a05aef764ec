// The header by which a proxy says whom it speaks for: PROXY protocol versions 1 and 2, as HAProxy
// specifies them. Reads octets; no socket here.
// Test: tests/unit/transport/proxy_header_test.cc, tests/fuzz/proxy_header_fuzz.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "transport/address.h"

namespace sotto {

// Both versions fit. Of version 2 the fixed part and the longest addresses are 232 octets; every
// field that its section 2.2 defines, each as long as it may be, leaves room below this, but for
// the client's whole certificate. It bounds what a stranger can make us hold, and the room that a
// datagram needs before its query.
inline constexpr std::size_t proxy_header_octets_max = 1'024;

struct ProxyHeader {
  enum class Kind : std::uint8_t {
    incomplete,  // right so far; more octets decide
    malformed,   // cannot become a header, however it goes on
    local,       // names nobody else: the peer's own address counts
    proxied,     // client is who asks
  };
  Kind kind = Kind::incomplete;
  std::size_t octets = 0;  // of the header, if local or proxied; what follows is not its own
  SocketAddress client{};  // if proxied
};

// octets: what a connection began with, as far as it has come. At proxy_header_octets_max octets at
// the latest it is decided. LOCAL, and
// addresses that are unknown or of Unix sockets, are local (section 2.2). A CRC32C that is there is
// checked.
ProxyHeader read_proxy_header(std::span<const std::uint8_t> octets);

// octets: a whole datagram. The header is of version 2, and all there: never incomplete.
ProxyHeader read_datagram_proxy_header(std::span<const std::uint8_t> octets);

}  // namespace sotto
