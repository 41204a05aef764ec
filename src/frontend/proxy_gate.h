// The first octets of a connection: those who must send a PROXY header send one, others do not.
// Test: tests/unit/frontend/proxy_gate_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transport/proxy_header.h"

namespace sotto {

class ProxyGate {
 public:
  enum class Verdict : std::uint8_t {
    more,     // undecided: hand in more
    passed,   // rest() is what follows the header, or everything if there is none
    refused,  // a header that is missing, malformed or not allowed
  };

  // required: the peer speaks for others. If not, a header is refused: whoever sends one would be
  // believed elsewhere.
  explicit ProxyGate(bool required) : required_(required) {}

  // Octets of the peer, in order, cut anywhere. Not after passed or refused.
  Verdict receive(std::span<const std::uint8_t> octets);
  // Valid until octets handed to receive() go, or this object does.
  std::span<const std::uint8_t> rest() const { return rest_; }
  // Whom the header named; nothing: the peer's own address counts.
  const std::optional<SocketAddress>& client() const { return client_; }

 private:
  Verdict look(std::span<const std::uint8_t> octets);

  bool required_;
  std::vector<std::uint8_t> held_;  // while undecided
  std::span<const std::uint8_t> rest_;
  std::optional<SocketAddress> client_;
};

}  // namespace sotto
