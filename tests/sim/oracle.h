// What is true: the name asked for determines the answer, so everybody can check it.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "message.h"

namespace sotto::sim {

// The names clients ask for, by number, in wire format.
Octets name_numbered(unsigned number);

// The other way round; 0 for any other name.
unsigned number_of_name(std::span<const std::uint8_t> name);

struct Truth {
  std::uint16_t rcode = 0;
  std::vector<Record> answers;    // TTLs as an authoritative server has them
  std::vector<Record> authority;  // SOA of a negative answer
};
// name: lower case.
Truth truth_of(std::span<const std::uint8_t> name, std::uint16_t type);

// What a resolver answers to this query: as it is, with TTLs somewhere on their way down.
Message answer_to(const Message& query, Random& noise);

// The lowest and highest TTL a forwarder may give for this answer: as in the message, a negative
// one's bounded by its SOA (RFC 2308 §5), and never more than the default caps.
struct TtlBounds {
  std::uint32_t lowest = 0;
  std::uint32_t highest = 0;
};
TtlBounds ttl_bounds(const Message& answer);

}  // namespace sotto::sim
