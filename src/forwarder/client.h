// What a frontend knows of who asks, and the way back to them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "transport/datagram_path.h"

namespace sotto {

struct Client {
  std::span<const std::uint8_t> address;  // 4 or 16 octets, network order; valid until forward()
  bool datagram = true;
  std::uint16_t padding_block = 0;  // of responses, on encrypted transports
  std::uint16_t keepalive = 0;      // units of 100 ms we would announce; 0 on UDP
  std::string_view identity = {};   // by a verified certificate; empty: none; valid as address is
};

struct ReplyTo;

// A frontend as the forwarder sees it: where responses are written that could not be given at once.
class ResponseSink {
 public:
  // Room for a response of at most octets_max octets; empty if the client is gone. Valid until
  // response_written(), which follows at once.
  virtual std::span<std::uint8_t> response_space(const ReplyTo& to, std::uint16_t octets_max) = 0;
  virtual void response_written(const ReplyTo& to, std::size_t octets) = 0;

 protected:
  ~ResponseSink() = default;
};

struct ReplyTo {
  ResponseSink* sink = nullptr;  // outlives the forwarder's exchanges
  DatagramPath path;             // UDP
  std::uint64_t connection = 0;  // streams: the frontend's id, may be stale
  std::uint32_t stream = 0;      // DoH: of that connection
};

}  // namespace sotto
