// Sockets that a service manager opened before it started sotto: sd_listen_fds(3),
// systemd.socket(5). Test: tests/integration/test_socket_activation.py.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/listen_reader.h"
#include "transport/socket_io.h"

namespace sotto {

struct InheritedSocket {
  std::string transport;  // "udp", "tcp", "tls", "https" or "admin"
  SocketAddress address;
  UniqueFd fd;  // non-blocking; of streams listening
};

// Those that were passed on, each checked; none if nothing was. The error is a line for standard
// error that says what to change. Once, before any thread is made: it takes the environment's
// variables away.
tl::expected<std::vector<InheritedSocket>, std::string> take_inherited_sockets();

std::vector<InheritedAddress> addresses_of(const std::vector<InheritedSocket>& sockets);

}  // namespace sotto
