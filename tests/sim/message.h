// DNS messages as clients and servers of the simulation read and write them, apart from the code
// under test but for names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sotto::sim {

using Octets = std::vector<std::uint8_t>;

struct Record {
  Octets owner;  // uncompressed
  std::uint16_t type = 0;
  std::uint32_t ttl = 0;
  Octets rdata;
};

struct Message {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  Octets name;  // as spelled
  std::uint16_t type = 0;
  std::uint16_t qclass = 1;
  std::vector<Record> answers;
  std::vector<Record> authority;
  bool edns = false;
  bool dnssec_ok = false;
  std::optional<std::uint16_t> ede;  // extended error
  bool keepalive_zero = false;       // to be written

  std::uint16_t rcode() const { return flags & 0xFU; }
};

// nullopt if it is not a message with one question that ends where its counts say.
std::optional<Message> read_message(std::span<const std::uint8_t> octets);
Octets write_message(const Message& message);
// With its two octets of length.
Octets framed(std::span<const std::uint8_t> message);
Octets lower_case(std::span<const std::uint8_t> name);

}  // namespace sotto::sim
