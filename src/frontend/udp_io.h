// DNS over UDP towards clients: receive a batch, answer what can be answered, send a batch.
// RFC 1035 §4.2.1, RFC 2181 §4.1. Test: tests/integration.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "forwarder/forwarder.h"
#include "frontend/transport_counters.h"
#include "policy/networks.h"
#include "transport/datagram_io.h"
#include "transport/loop_io.h"
#include "transport/socket_io.h"

namespace sotto {

class UdpFrontend final : public ResponseSink {
 public:
  // fd: bound to address. proxy_from: peers whose datagrams begin with a PROXY header (version 2),
  // and must. loop, forwarder and counters outlive the frontend.
  UdpFrontend(Loop& loop, Forwarder& forwarder, TransportCounters& counters, UniqueFd fd,
              const SocketAddress& address, std::vector<Network> proxy_from);
  ~UdpFrontend();

  void start();
  // Takes no more queries; responses still leave.
  void stop_receiving() { receiving_ = false; }
  // Sends what this turn produced.
  void flush() { socket_.send_batch(); }
  // Responses the kernel did not take.
  const Counter& unsent() const { return socket_.unsent(); }
  // Datagrams of proxies that were dropped: without a PROXY header, or with a malformed one.
  const Counter& headers_refused() const { return headers_refused_; }

  // ResponseSink
  std::span<std::uint8_t> response_space(const ReplyTo& to, std::uint16_t octets_max) override;
  void response_written(const ReplyTo& to, std::size_t octets) override;

 private:
  struct OfClients;
  struct OfProxies;

  void on_readable();
  std::size_t read_headers(std::size_t received);
  template <class Datagrams>
  void answer(std::size_t count, const Datagrams& datagrams);
  template <class Datagrams>
  void answer_some(std::size_t first, std::size_t count, const Datagrams& datagrams);

  Forwarder& forwarder_;
  TransportCounters& counters_;
  Watch watch_;
  DatagramSocket socket_;
  std::array<Forwarder::Incoming, Forwarder::batch_max> incoming_;
  std::unique_ptr<OfProxies> of_proxies_;  // null: nobody sends PROXY headers
  Counter headers_refused_;
  bool receiving_ = true;
};

}  // namespace sotto
