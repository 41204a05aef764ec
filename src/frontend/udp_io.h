// DNS over UDP towards clients: receive a batch, answer what can be answered, send a batch.
// RFC 1035 §4.2.1, RFC 2181 §4.1. Test: tests/integration.
#pragma once

#include <array>

#include "forwarder/forwarder.h"
#include "frontend/transport_counters.h"
#include "transport/datagram_io.h"
#include "transport/loop_io.h"
#include "transport/socket_io.h"

namespace sotto {

class UdpFrontend final : public ResponseSink {
 public:
  // fd: bound to address. loop, forwarder and counters outlive the frontend.
  UdpFrontend(Loop& loop, Forwarder& forwarder, TransportCounters& counters, UniqueFd fd,
              const SocketAddress& address);

  void start();
  // Takes no more queries; responses still leave.
  void stop_receiving() { receiving_ = false; }
  // Sends what this turn produced.
  void flush() { socket_.send_batch(); }
  // Responses the kernel did not take.
  const Counter& unsent() const { return socket_.unsent(); }

  // ResponseSink
  std::span<std::uint8_t> response_space(const ReplyTo& to, std::uint16_t octets_max) override;
  void response_written(const ReplyTo& to, std::size_t octets) override;

 private:
  void on_readable();
  void answer(std::size_t first, std::size_t count);

  Forwarder& forwarder_;
  TransportCounters& counters_;
  Watch watch_;
  DatagramSocket socket_;
  std::array<Forwarder::Incoming, Forwarder::batch_max> incoming_;
  bool receiving_ = true;
};

}  // namespace sotto
