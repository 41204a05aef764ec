// One record of a message as a line of a zone file, and an extended error in words.
// Test: tests/unit/app/query/message_text_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "dns/name.h"
#include "dns/wire.h"

namespace sotto {

struct MessageRecord {
  Name owner;
  std::uint16_t type = 0;
  std::uint16_t rclass = 0;
  std::uint32_t ttl = 0;
  std::size_t data = 0;  // where it begins and ends in the message
  std::size_t end = 0;
};

// The record at the reader's position, nothing if it cannot be read. message: the whole of it.
std::optional<MessageRecord> read_record(WireReader& reader, std::span<const std::uint8_t> message);

// "192.0.2.1"
std::string record_data_text(const MessageRecord& record, std::span<const std::uint8_t> message);
// "www.example.\t300\tIN\tA\t192.0.2.1"
std::string record_text(const MessageRecord& record, std::span<const std::uint8_t> message);

// "EDE 3 (Stale Answer): \"text\""; RFC 8914.
std::string extended_error_text(std::uint16_t code, std::span<const std::uint8_t> text);

}  // namespace sotto
