// A DNS message as people read it. Works on whatever arrives: what cannot be read is said so.
// Test: tests/unit/app/query/message_text_test.cc, tests/fuzz/message_text_fuzz.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace sotto {

struct MessageText {
  std::string text;         // lines; dig's shape where it has one
  std::string answers;      // the data of the answer section alone, a line each
  std::uint16_t rcode = 0;  // twelve bits
  bool truncated = false;
  bool whole = true;  // nothing was malformed
};

MessageText message_text(std::span<const std::uint8_t> message);

}  // namespace sotto
