#include <algorithm>
#include <array>
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
    (workers[at].*member).push_back({std::move(*fd), listen});
  }
  return {};
}

// One kind of listener: what is configured, and where its sockets go.
struct Transport {
  std::string_view name;
  SocketKind kind;
  std::vector<ListenAddress> Config::Listen::*configured;
  Member member;
};

constexpr std::array<Transport, 4> transports{{
    {"udp", SocketKind::datagram, &Config::Listen::udp, &WorkerSockets::udp},
    {"tcp", SocketKind::stream, &Config::Listen::tcp, &WorkerSockets::tcp},
    {"tls", SocketKind::stream, &Config::Listen::tls, &WorkerSockets::tls},
    {"https", SocketKind::stream, &Config::Listen::https, &WorkerSockets::https},
}};

}  // namespace

tl::expected<std::vector<WorkerSockets>, std::string> open_sockets(const Config& config, Log& log) {
  std::vector<WorkerSockets> workers(config.workers);
  for (const Transport& transport : transports) {
    for (const ListenAddress& listen : config.listen.*transport.configured) {
      auto opened = open_for_all(listen, transport.kind, transport.member, workers, log);
      if (!opened) return tl::unexpected(opened.error());
    }
  }
  const WorkerSockets& first = workers.front();
  if (std::ranges::all_of(transports,
                          [&](const Transport& one) { return (first.*one.member).empty(); })) {
    return tl::unexpected(std::string{"this host has none of the default addresses to listen on"});
  }
  for (const Transport& transport : transports) {
    for (const Bound& bound : first.*transport.member) {
      log.info("listen.open", "listening",
               {{"transport", transport.name}, {"address", bound.listen.address.text()}});
    }
  }
  return workers;
}

}  // namespace sotto
