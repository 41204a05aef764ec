#include "dns/extended_error.h"

#include <algorithm>

#include "dns/wire.h"

namespace sotto {
namespace {

// Octets of the well-formed, printable UTF-8 character at the start of text, or 0. Overlong forms,
// surrogates and values beyond U+10FFFF are not well-formed (RFC 3629 §3).
std::size_t character_octets(std::span<const std::uint8_t> text) {
  const std::uint8_t first = text[0];
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const std::size_t octets = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < octets) return 0;
  std::uint8_t lowest = 0x80;
  std::uint8_t highest = 0xBF;
  if (first == 0xE0) lowest = 0xA0;
  if (first == 0xED) highest = 0x9F;
  if (first == 0xF0) lowest = 0x90;
  if (first == 0xF4) highest = 0x8F;
  if (first == 0xC2) lowest = 0xA0;  // U+0080 to U+009F are control characters
  for (const std::uint8_t octet : text.subspan(1, octets - 1)) {
    if (octet < lowest || octet > highest) return 0;
    lowest = 0x80;
    highest = 0xBF;
  }
  return octets;
}

}  // namespace

std::optional<ExtendedError> read_extended_error(std::span<const std::uint8_t> value) {
  if (value.size() < 2) return std::nullopt;
  ExtendedError error;
  error.code = load16(value.data());
  // Control characters end the text, also the NUL some send (RFC 8914 §2): it goes into logs.
  const auto text = value.subspan(2, std::min(value.size() - 2, ede_text_octets_max));
  std::size_t readable = 0;
  while (readable < text.size()) {
    const std::size_t octets = character_octets(text.subspan(readable));
    if (octets == 0) break;
    readable += octets;
  }
  error.text = std::string_view(reinterpret_cast<const char*>(text.data()), readable);
  return error;
}

}  // namespace sotto
