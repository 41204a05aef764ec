// Names in presentation format, RFC 1035 §5.1.
#include <cassert>

#include "dns/name.h"

namespace sotto {
namespace {

constexpr std::size_t label_octets_max = 63;  // RFC 1035 §2.3.4

// Characters with a meaning of their own in zone files, so that the text can be pasted into one.
constexpr std::string_view special = ".\\\"();@$";

bool is_plain(std::uint8_t octet) {
  return octet > ' ' && octet < 0x7F;
}

void append_octet(std::string& text, std::uint8_t octet) {
  const char letter = static_cast<char>(octet);
  if (!is_plain(octet)) {
    text += '\\';
    text += static_cast<char>('0' + octet / 100);
    text += static_cast<char>('0' + octet / 10 % 10);
    text += static_cast<char>('0' + octet % 10);
    return;
  }
  if (special.find(letter) != std::string_view::npos) text += '\\';
  text += letter;
}

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

// Takes one character or escape from the front of text; -1 if there is none to take.
int take_octet(std::string_view& text) {
  const char letter = text.front();
  text.remove_prefix(1);
  if (!is_plain(static_cast<std::uint8_t>(letter))) return -1;
  if (letter != '\\') return letter;
  if (text.empty()) return -1;
  if (!is_digit(text[0])) {
    const char escaped = text.front();
    text.remove_prefix(1);
    return escaped >= ' ' && escaped < 0x7F ? escaped : -1;
  }
  if (text.size() < 3 || !is_digit(text[1]) || !is_digit(text[2])) return -1;
  const int value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  text.remove_prefix(3);
  return value <= 0xFF ? value : -1;
}

}  // namespace

std::string name_to_text(std::span<const std::uint8_t> name) {
  std::string text;
  std::size_t at = 0;
  while (at < name.size() && name[at] != 0) {
    const std::size_t end = at + 1 + name[at];
    assert(end < name.size());
    for (++at; at < end; ++at) append_octet(text, name[at]);
    text += '.';
  }
  if (text.empty()) text = ".";
  return text;
}

Result<Name> name_from_text(std::string_view text) {
  if (text.empty()) return fail(Error::bad_text);
  if (text == ".") return Name{};
  std::array<std::uint8_t, name_octets_max> octets;
  std::size_t label = 0;  // where the length of the label in progress goes
  std::size_t end = 1;
  while (!text.empty()) {
    if (text.front() == '.') {
      text.remove_prefix(1);
      if (end == label + 1) return fail(Error::bad_text);  // an empty label
      octets[label] = static_cast<std::uint8_t>(end - label - 1);
      label = end++;
      continue;
    }
    const int octet = take_octet(text);
    // One octet must be left for the root.
    if (octet < 0 || end - label > label_octets_max || end >= name_octets_max - 1) {
      return fail(Error::bad_text);
    }
    octets[end++] = static_cast<std::uint8_t>(octet);
  }
  octets[label] = static_cast<std::uint8_t>(end - label - 1);
  if (octets[label] != 0) {  // without the final dot the root is still to come
    octets[end] = 0;
    ++end;
  }
  return Name::from_octets({octets.data(), end});
}

}  // namespace sotto
