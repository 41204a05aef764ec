#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <systemd/sd-daemon.h>

#include "app/inherited_sockets.h"
#include "app/text.h"

namespace sotto {

namespace {

// How many there may be of one name, if that is limited, is checked by those who use them.
std::optional<SocketKind> kind_of(std::string_view name) {
  if (name == admin_listener) return SocketKind::stream;
  const ListenTransport* transport = find_listen_transport(name);
  if (transport == nullptr) return {};
  return transport->stream ? SocketKind::stream : SocketKind::datagram;
}

// What sd_listen_fds_with_names() gives: texts, then null.
struct FreeNames {
  void operator()(char** names) const {
    for (char** name = names; *name != nullptr; ++name) std::free(*name);
    std::free(names);
  }
};

std::string fault(std::string_view what, std::string_view name, std::string_view suggestion) {
  return "LISTEN_FDS: " + complaint(what, name, suggestion);
}

}  // namespace

tl::expected<std::vector<InheritedSocket>, std::string> take_inherited_sockets() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  const std::unique_ptr<char*, FreeNames> owned(names);
  if (count < 0) {
    return tl::unexpected(std::string{"LISTEN_FDS: the sockets of the service manager cannot be "
                                      "taken: "} +
                          std::strerror(-count));
  }
  std::vector<InheritedSocket> sockets;
  for (int at = 0; at < count; ++at) {
    const std::string name = names[at];
    InheritedSocket& socket =
        sockets.emplace_back(InheritedSocket{name, {}, UniqueFd{SD_LISTEN_FDS_START + at}});
    const auto kind = kind_of(name);
    if (!kind) {
      return tl::unexpected(fault("no listener has the name of this socket", name,
                                  "write FileDescriptorName=udp, tcp, tls, https or admin"));
    }
    const auto address = adopt_listener(*kind, socket.fd.get());
    if (!address) {
      return tl::unexpected(
          fault("this socket cannot be its listener's", name, "it " + address.error()));
    }
    socket.address = *address;
  }
  const auto admins = std::count_if(sockets.begin(), sockets.end(), [](const auto& socket) {
    return socket.transport == admin_listener;
  });
  if (admins > 1) {
    return tl::unexpected(fault("more than one socket has this name", admin_listener,
                                "write one ListenStream= in its unit"));
  }
  return sockets;
}

std::vector<InheritedAddress> addresses_of(const std::vector<InheritedSocket>& sockets) {
  std::vector<InheritedAddress> addresses;
  addresses.reserve(sockets.size());
  for (const InheritedSocket& socket : sockets) {
    addresses.push_back({socket.transport, socket.address});
  }
  return addresses;
}

}  // namespace sotto
