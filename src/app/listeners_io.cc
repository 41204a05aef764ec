#include <algorithm>
#include <cassert>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <utility>

#include "app/listeners.h"
#include "transport/socket_io.h"

namespace sotto {
namespace {

using Bound = WorkerSockets::Bound;
using Member = std::vector<Bound> WorkerSockets::*;

std::string advice(int code) {
  if (code == EADDRINUSE) return "; is another resolver, or another sotto, running?";
  if (code == EACCES) return "; ports below 1024 need CAP_NET_BIND_SERVICE";
  if (code == EADDRNOTAVAIL) return "; this host does not have the address";
  return {};
}

Member member_of(const ListenTransport& transport) {
  if (transport.http) return &WorkerSockets::https;
  if (transport.encrypted) return &WorkerSockets::tls;
  return transport.stream ? &WorkerSockets::tcp : &WorkerSockets::udp;
}

// The same address for each worker, the first socket without sharing the port.
tl::expected<void, SystemError> open_for_all(const ListenAddress& listen, SocketKind kind,
                                             Member member, std::vector<WorkerSockets>& workers) {
  for (std::size_t at = 0; at < workers.size(); ++at) {
    auto fd = open_listener(kind, listen.address, at == 0);
    if (!fd) return tl::unexpected(std::move(fd.error()));
    (workers[at].*member).push_back({std::move(*fd), listen});
  }
  return {};
}

// Defaults are for any host; and "all addresses of IPv6" are none where the kernel has no IPv6.
bool may_be_skipped(const ListenAddress& listen, const SystemError& error) {
  return is_no_route(error.code) && (listen.is_default || listen.address.ip.is_unspecified());
}

void tell_skipped(const ListenTransport& transport, const ListenAddress& listen, Log& log) {
  const char* const message = listen.is_default ? "this host lacks a default address"
                                                : "this host has no address of this family";
  log.write(listen.is_default ? LogLevel::info : LogLevel::warning, "listen.skipped", message,
            {{"transport", transport.name}, {"address", listen.address.text()}});
}

// The addresses of one list: those that the host lacks are left out, unless that leaves none of
// those that were asked for.
tl::expected<void, std::string> open_list(const ListenTransport& transport,
                                          const std::vector<ListenAddress>& addresses,
                                          std::vector<WorkerSockets>& workers, Log& log) {
  const Member member = member_of(transport);
  const SocketKind kind = transport.stream ? SocketKind::stream : SocketKind::datagram;
  std::optional<SystemError> lacking;
  for (const ListenAddress& listen : addresses) {
    const auto opened = open_for_all(listen, kind, member, workers);
    if (opened) continue;
    const SystemError& error = opened.error();
    if (!may_be_skipped(listen, error)) return tl::unexpected(error.what + advice(error.code));
    if (!listen.is_default) lacking = error;
    tell_skipped(transport, listen, log);
  }
  if (!lacking || !(workers.front().*member).empty()) return {};
  return tl::unexpected(lacking->what);
}

// The sockets of this transport, in the order of its addresses, for each worker a copy. How many
// there are, none if it has no inherited ones.
tl::expected<std::size_t, std::string> share_inherited(
    const ListenTransport& transport, const Config& config,
    const std::vector<InheritedSocket>& inherited, std::vector<WorkerSockets>& workers) {
  const std::vector<ListenAddress>& addresses = config.listen.*transport.addresses;
  std::size_t count = 0;
  for (const InheritedSocket& socket : inherited) {
    if (socket.transport != transport.name) continue;
    const ListenAddress& listen = addresses.at(count++);
    assert(listen.address == socket.address);
    for (WorkerSockets& worker : workers) {
      UniqueFd fd{::fcntl(socket.fd.get(), F_DUPFD_CLOEXEC, 0)};
      if (!fd) return tl::unexpected("listen on " + listen.address.text() + ": out of descriptors");
      (worker.*member_of(transport)).push_back({std::move(fd), listen});
    }
  }
  return count;
}

tl::expected<void, std::string> open_transport(const ListenTransport& transport,
                                               const Config& config,
                                               const std::vector<InheritedSocket>& inherited,
                                               std::vector<WorkerSockets>& workers, Log& log) {
  const auto shared = share_inherited(transport, config, inherited, workers);
  if (!shared) return tl::unexpected(shared.error());
  if (*shared > 0) {
    log.info("listen.inherited", "listening on sockets of the service manager instead",
             {{"instead_of", "listen." + std::string(transport.name)}, {"sockets", *shared}});
    return {};
  }
  return open_list(transport, config.listen.*transport.addresses, workers, log);
}

}  // namespace

tl::expected<std::vector<WorkerSockets>, std::string> open_sockets(
    const Config& config, const std::vector<InheritedSocket>& inherited, Log& log) {
  std::vector<WorkerSockets> workers(config.workers);
  for (const ListenTransport& transport : listen_transports) {
    auto opened = open_transport(transport, config, inherited, workers, log);
    if (!opened) return tl::unexpected(opened.error());
  }
  const WorkerSockets& first = workers.front();
  const bool nothing = std::ranges::all_of(listen_transports, [&](const ListenTransport& one) {
    return (first.*member_of(one)).empty();
  });
  if (nothing) {
    return tl::unexpected(std::string{"this host has none of the default addresses to listen on"});
  }
  for (const ListenTransport& transport : listen_transports) {
    for (const Bound& bound : first.*member_of(transport)) {
      log.info("listen.open", "listening",
               {{"transport", transport.name}, {"address", bound.listen.address.text()}});
    }
  }
  return workers;
}

}  // namespace sotto
