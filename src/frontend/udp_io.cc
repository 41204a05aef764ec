#include "frontend/udp_io.h"

#include <algorithm>

namespace sotto {

UdpFrontend::UdpFrontend(Loop& loop, Forwarder& forwarder, TransportCounters& counters, UniqueFd fd,
                         const SocketAddress& address)
    : forwarder_(forwarder),
      counters_(counters),
      watch_(loop, std::move(fd)),
      socket_(watch_.fd(), address.ip.is_unspecified()) {
  if (address.ip.is_unspecified()) request_asked_address(watch_.fd(), address.ip.is_v4());
}

// The frontend lives as long as its loop, so its handlers may hold its address.
void UdpFrontend::start() {
  watch_.when_readable([this] { on_readable(); });
}

void UdpFrontend::on_readable() {
  if (!receiving_) return;
  const std::size_t received = socket_.receive_batch();
  counters_.queries.add(received);
  for (std::size_t at = 0; at < received; at += Forwarder::batch_max) {
    answer(at, std::min(received - at, Forwarder::batch_max));
  }
  start();
}

void UdpFrontend::answer(std::size_t first, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) forwarder_.read(socket_.octets(first + i), incoming_[i]);
  forwarder_.prefetch(std::span(incoming_).first(count));
  for (std::size_t i = 0; i < count; ++i) {
    const DatagramPath& path = socket_.path(first + i);
    const Client client{.address = path.address()};
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
