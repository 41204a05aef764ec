// A socket that waits with poll(2), for one query at a time. Test:
// tests/unit/app/query/query_io_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "base/clock.h"
#include "transport/address.h"
#include "transport/socket_io.h"

namespace sotto {

template <class T>
using OrText = tl::expected<T, std::string>;

// Asks this host's own resolver for an address of the host, which takes as long as that is patient.
OrText<IpAddress> look_up(const std::string& host);

class QuerySocket {
 public:
  // Connected; a stream's connection is awaited.
  static OrText<QuerySocket> datagram(const SocketAddress& server);
  static OrText<QuerySocket> stream(const SocketAddress& server, Instant deadline);

  // All of it.
  OrText<void> send(std::span<const std::uint8_t> octets, Instant deadline);
  // What there is, at least one octet; 0 at the end of a stream. Fails with timed_out at the
  // deadline.
  OrText<std::size_t> receive(std::span<std::uint8_t> buffer, Instant deadline);

  static constexpr const char* timed_out = "timed out";

 private:
  explicit QuerySocket(UniqueFd fd) : fd_(std::move(fd)) {}
  OrText<void> wait(short events, Instant deadline) const;

  UniqueFd fd_;
};

}  // namespace sotto
