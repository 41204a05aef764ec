#include "app/json.h"

#include <array>
#include <cstdio>

#include "app/text.h"

namespace sotto {

std::string json_string(std::string_view text, std::size_t octets_max) {
  std::string out = "\"";
  for (const char character : text.substr(0, octets_max)) {
    const auto octet = static_cast<std::uint8_t>(character);
    if (character == '"' || character == '\\') {
      out += '\\';
      out += character;
    } else if (octet < 0x20U || octet > 0x7EU) {
      out += "\\u00" + hex({&octet, 1});
    } else {
      out += character;
    }
  }
  if (text.size() > octets_max) out += "...";
  return out + "\"";
}

void JsonWriter::add_duration(std::string_view name, Duration duration) {
  std::array<char, 40> digits{};
  const double seconds = std::chrono::duration<double>(duration).count();
  std::snprintf(digits.data(), digits.size(), "%.6f", seconds);
  key(name).text_ += digits.data();
}

void JsonWriter::add_element(std::string_view text) {
  separate();
  text_ += json_string(text);
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  text_ += json_string(name) + ":";
  return *this;
}

void JsonWriter::begin(char bracket) {
  if (!text_.empty() && text_.back() != ':') separate();
  text_ += bracket;
}

void JsonWriter::end(char bracket) {
  text_ += bracket;
}

// A comma, unless what comes is the first.
void JsonWriter::separate() {
  if (text_.empty() || text_.back() == '{' || text_.back() == '[') return;
  text_ += ',';
}

}  // namespace sotto
