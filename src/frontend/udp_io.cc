#include "frontend/udp_io.h"

#include <algorithm>
#include <utility>

#include "transport/proxy_header.h"

namespace sotto {

// The datagrams of a batch as they came: the peer is the client.
struct UdpFrontend::OfClients {
  std::span<const std::uint8_t> message(std::size_t at) const { return socket.octets(at); }
  const DatagramPath& path(std::size_t at) const { return socket.path(at); }
  static std::span<const std::uint8_t> client(std::size_t, const DatagramPath& path) {
    return path.address();
  }

  const DatagramSocket& socket;
};

// The same where peers may be proxies: those that are not refused, as their headers say.
struct UdpFrontend::OfProxies {
  std::span<const std::uint8_t> message(std::size_t at) const {
    return socket.octets(read[at].datagram).subspan(read[at].header_octets);
  }
  const DatagramPath& path(std::size_t at) const { return socket.path(read[at].datagram); }
  std::span<const std::uint8_t> client(std::size_t at, const DatagramPath&) const {
    return read[at].client.octets();
  }

  struct Read {
    std::size_t datagram = 0;
    std::size_t header_octets = 0;
    IpAddress client;
  };
  const DatagramSocket& socket;
  std::vector<Network> networks;
  std::array<Read, datagram_batch_max> read{};
};

UdpFrontend::UdpFrontend(Loop& loop, Forwarder& forwarder, TransportCounters& counters, UniqueFd fd,
                         const SocketAddress& address, std::vector<Network> proxy_from)
    : forwarder_(forwarder),
      counters_(counters),
      watch_(loop, std::move(fd)),
      socket_(watch_.fd(), address.ip.is_unspecified(),
              datagram_query_octets_max + (proxy_from.empty() ? 0 : proxy_header_octets_max)) {
  if (address.ip.is_unspecified()) request_asked_address(watch_.fd(), address.ip.is_v4());
  if (proxy_from.empty()) return;
  of_proxies_.reset(new OfProxies{.socket = socket_, .networks = std::move(proxy_from)});
}

UdpFrontend::~UdpFrontend() = default;

// The frontend lives as long as its loop, so its handlers may hold its address.
void UdpFrontend::start() {
  watch_.when_readable([this] { on_readable(); });
}

void UdpFrontend::on_readable() {
  if (!receiving_) return;
  const std::size_t received = socket_.receive_batch();
  if (of_proxies_ == nullptr) {
    answer(received, OfClients{socket_});
  } else {
    answer(read_headers(received), *of_proxies_);
  }
  start();
}

// How many are to be answered; of_proxies_ says which.
std::size_t UdpFrontend::read_headers(std::size_t received) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < received; ++at) {
    const DatagramPath& path = socket_.path(at);
    ProxyHeader header{.kind = ProxyHeader::Kind::local};
    if (any_contains(of_proxies_->networks, path.address())) {
      header = read_datagram_proxy_header(socket_.octets(at));
    }
    if (header.kind == ProxyHeader::Kind::malformed) {
      headers_refused_.add();
      continue;
    }
    const bool proxied = header.kind == ProxyHeader::Kind::proxied;
    of_proxies_->read[count++] = {
        .datagram = at,
        .header_octets = header.octets,
        .client = proxied ? header.client.ip : from_kernel(&path.peer.any).ip};
  }
  return count;
}

template <class Datagrams>
void UdpFrontend::answer(std::size_t count, const Datagrams& datagrams) {
  counters_.queries.add(count);
  for (std::size_t first = 0; first < count; first += Forwarder::batch_max) {
    answer_some(first, std::min(count - first, Forwarder::batch_max), datagrams);
  }
}

template <class Datagrams>
void UdpFrontend::answer_some(std::size_t first, std::size_t count, const Datagrams& datagrams) {
  for (std::size_t i = 0; i < count; ++i) {
    forwarder_.read(datagrams.message(first + i), incoming_[i]);
  }
  forwarder_.prefetch(std::span(incoming_).first(count));
  for (std::size_t i = 0; i < count; ++i) {
    const DatagramPath& path = datagrams.path(first + i);
    const Client client{.address = datagrams.client(first + i, path)};
    const std::span<std::uint8_t> space = socket_.response_space();
    const Forwarder::Now now = forwarder_.answer_now(client, incoming_[i], space);
    if (now.outcome == Forwarder::Outcome::answered) {
      counters_.count_response(space.first(now.octets));
      socket_.response_written(path, now.octets);
    } else if (now.outcome == Forwarder::Outcome::pending) {
      forwarder_.forward({.sink = this, .path = path});
    }
  }
}

std::span<std::uint8_t> UdpFrontend::response_space(const ReplyTo&, std::uint16_t) {
  return socket_.response_space();
}

void UdpFrontend::response_written(const ReplyTo& to, std::size_t octets) {
  // The space that was given out last: it is this response's until it is written.
  counters_.count_response(socket_.response_space().first(octets));
  socket_.response_written(to.path, octets);
}

}  // namespace sotto
