// A UDP socket that receives and sends in batches: one system call for up to 64 datagrams each way.
// Test: tests/unit/transport/datagram_test.cc, tests/integration.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <sys/socket.h>

#include "base/counters.h"
#include "dns/constants.h"
#include "transport/datagram_path.h"
#include "transport/socket_io.h"

namespace sotto {

inline constexpr std::size_t datagram_batch_max = 64;
// A query is a name and some options; what is longer than this is cut and will not parse.
inline constexpr std::size_t datagram_query_octets_max = 2'048;

class DatagramSocket {
 public:
  // wildcard: bound to no particular address, so each datagram says which one was asked.
  // octets_max: of a datagram that comes; what is longer is cut.
  DatagramSocket(int fd, bool wildcard, std::size_t octets_max = datagram_query_octets_max);
  ~DatagramSocket();

  // How many datagrams came; valid until the next call.
  std::size_t receive_batch();
  std::span<const std::uint8_t> octets(std::size_t at) const;
  const DatagramPath& path(std::size_t at) const;

  // Room for one response of at most edns_udp_octets_max octets; sends the batch first if it is
  // full. Follow with response_written(), or not at all.
  std::span<std::uint8_t> response_space();
  void response_written(const DatagramPath& path, std::size_t octets);
  // Sends what was written. What the kernel does not take is lost, as datagrams may be.
  void send_batch();

  // Datagrams the kernel refused to send.
  const Counter& unsent() const { return unsent_; }

 private:
  struct Receiving;
  struct Sending;

  int fd_;
  bool wildcard_;
  std::unique_ptr<Receiving> receiving_;
  std::unique_ptr<Sending> sending_;
  std::size_t filled_ = 0;
  Counter unsent_;
};

// Asks the kernel to say for each datagram which address was asked. False if it cannot.
bool request_asked_address(int fd, bool v4);

}  // namespace sotto
