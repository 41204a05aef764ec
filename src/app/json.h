// JSON written piece by piece: commas and quotes are put where they belong.
// Test: tests/unit/app/json_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sotto {

// A JSON string. Not ASCII becomes \u00NN, octet for octet: what strangers send need not be UTF-8.
// Cut with ... after octets_max input octets.
std::string json_string(std::string_view text, std::size_t octets_max = std::string_view::npos);

// One object or array and what lies in it. Every begin has its end.
class JsonWriter {
 public:
  // The outermost, and elements of arrays, have no name.
  void begin_object() { begin('{'); }
  void begin_object(std::string_view name) { key(name).begin('{'); }
  void begin_array(std::string_view name) { key(name).begin('['); }
  void end_object() { end('}'); }
  void end_array() { end(']'); }

  void add_text(std::string_view name, std::string_view text) {
    key(name).text_ += json_string(text);
  }
  void add_flag(std::string_view name, bool value) { key(name).text_ += value ? "true" : "false"; }
  void add_number(std::string_view name, std::uint64_t number) {
    key(name).text_ += std::to_string(number);
  }
  // In seconds, to the microsecond.
  void add_duration(std::string_view name, Duration duration);
  void add_null(std::string_view name) { key(name).text_ += "null"; }
  void add_element(std::string_view text);

  // With a line feed.
  std::string text() const { return text_ + "\n"; }

 private:
  JsonWriter& key(std::string_view name);
  void begin(char bracket);
  void end(char bracket);
  void separate();

  std::string text_;
};

}  // namespace sotto
