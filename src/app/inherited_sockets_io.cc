#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

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

// A decimal number that an environment variable holds and nothing else; none without it.
std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return {};
  int number = 0;
  const char* const end = text + std::char_traits<char>::length(text);
  const auto result = std::from_chars(text, end, number);
  if (result.ec != std::errc{} || result.ptr != end) return {};
  return number;
}

// The first descriptor that is passed on; the others follow.
constexpr int first_inherited = 3;

// How many sockets were passed on to this very process, and not to one that it came from.
int inherited_count() {
  if (number_in("LISTEN_PID") != ::getpid()) return 0;
  return number_in("LISTEN_FDS").value_or(0);
}

// Takes the first of the texts between colons.
std::string take_name(std::string_view& names) {
  const std::size_t colon = names.find(':');
  const std::string name(names.substr(0, colon));
  names = colon == std::string_view::npos ? std::string_view{} : names.substr(colon + 1);
  return name;
}

std::string fault(std::string_view what, std::string_view name, std::string_view suggestion) {
  return "LISTEN_FDS: " + complaint(what, name, suggestion);
}

}  // namespace

tl::expected<std::vector<InheritedSocket>, std::string> take_inherited_sockets() {
  const int count = inherited_count();
  const char* given = std::getenv("LISTEN_FDNAMES");
  const std::string names = given == nullptr ? "" : given;
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(variable);
  std::vector<InheritedSocket> sockets;
  std::string_view rest = names;
  for (int fd = first_inherited; fd - first_inherited < count; ++fd) {
    const std::string name = take_name(rest);
    InheritedSocket& socket = sockets.emplace_back(InheritedSocket{name, {}, UniqueFd{fd}});
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      return tl::unexpected(fault("there is no such descriptor", std::to_string(fd),
                                  "LISTEN_FDS counts more than were passed on"));
    }
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
