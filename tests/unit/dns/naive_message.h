// A second parser of DNS messages, written for obviousness alone: recursive, copying, slow. It
// shares no code with src/dns, so that the two have to agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sotto::test {

using Labels = std::vector<std::string>;

struct NaiveName {
  Labels labels;
  std::size_t end = 0;  // behind the name, where it was read
};

// Empty if the name is not well-formed.
std::optional<NaiveName> naive_name(std::span<const std::uint8_t> message, std::size_t position);

struct NaiveRecord {
  int section = 0;
  Labels owner;  // lower case
  unsigned type = 0;
  unsigned rclass = 0;
  unsigned long ttl = 0;
  std::string rdata;  // names in it uncompressed

  friend bool operator==(const NaiveRecord&, const NaiveRecord&) = default;
};

struct NaiveMessage {
  unsigned id = 0;
  unsigned flags = 0;
  Labels qname;  // as spelled
  unsigned qtype = 0;
  unsigned qclass = 0;
  std::vector<NaiveRecord> records;  // OPT too
  std::size_t end = 0;               // of the last record

  unsigned count(int section) const;
};

// Empty unless the message has exactly one question and all it promises.
std::optional<NaiveMessage> naive_message(std::span<const std::uint8_t> message);

// The value of the first option of this code in the message's OPT.
std::optional<std::string> naive_option(const NaiveMessage& message, unsigned code);

}  // namespace sotto::test
