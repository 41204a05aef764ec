// The addresses that an answer gives for the name that was asked, through its chain of aliases.
// Test: tests/unit/dns/addresses_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dns/answer.h"
#include "dns/question.h"

namespace sotto {

// Real chains have up to about five; resolvers give up at 8 to 16.
inline constexpr std::size_t alias_chain_max = 16;

struct AddressRecords {
  // 4 octets each for A, 16 for AAAA, in the answer's order. Valid as long as the answer's message.
  std::vector<std::span<const std::uint8_t>> addresses;
  std::uint32_t ttl = 0;  // seconds: the lowest along the chain; only with addresses
};

// question: for A or AAAA. answer: one that rewrite_response() made. Only the answer section
// counts; the chain is followed whatever the order of its records.
AddressRecords find_addresses(const Answer& answer, const Question& question);

}  // namespace sotto
