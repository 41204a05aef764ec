#include <cerrno>
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

// The same address for each worker, the first socket without sharing the port.
tl::expected<void, std::string> open_for_all(const ListenAddress& listen, SocketKind kind,
                                             Member member, std::vector<WorkerSockets>& workers,
                                             Log& log) {
  for (std::size_t at = 0; at < workers.size(); ++at) {
    auto fd = open_listener(kind, listen.address, at == 0);
    if (!fd && listen.is_default && is_no_route(fd.error().code)) {
      log.info("listen.skipped", "this host lacks a default address",
               {{"address", listen.address.text()}});
      return {};
    }
    if (!fd) return tl::unexpected(fd.error().what + advice(fd.error().code));
    (workers[at].*member).push_back({std::move(*fd), listen.address});
  }
  return {};
}

void tell(const std::vector<Bound>& bound, std::string_view transport, Log& log) {
  for (const Bound& one : bound) {
    log.info("listen.open", "listening",
             {{"transport", transport}, {"address", one.address.text()}});
  }
}

}  // namespace

tl::expected<std::vector<WorkerSockets>, std::string> open_sockets(const Config& config, Log& log) {
  std::vector<WorkerSockets> workers(config.workers);
  for (const ListenAddress& listen : config.listen.udp) {
    auto opened = open_for_all(listen, SocketKind::datagram, &WorkerSockets::udp, workers, log);
    if (!opened) return tl::unexpected(opened.error());
  }
  for (const ListenAddress& listen : config.listen.tcp) {
    auto opened = open_for_all(listen, SocketKind::stream, &WorkerSockets::tcp, workers, log);
    if (!opened) return tl::unexpected(opened.error());
  }
  if (workers.front().udp.empty() && workers.front().tcp.empty()) {
    return tl::unexpected(std::string{"this host has none of the default addresses to listen on"});
  }
  tell(workers.front().udp, "udp", log);
  tell(workers.front().tcp, "tcp", log);
  return workers;
}

}  // namespace sotto
