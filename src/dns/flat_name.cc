#include "dns/flat_name.h"

#include <cstring>

#include "dns/wire.h"

namespace sotto {
namespace {

constexpr std::uint8_t label_octets_max = 63;  // RFC 1035 §2.3.4
constexpr std::uint8_t pointer_mark = 0xC0;    // RFC 1035 §4.1.4; 0x40 and 0x80 are reserved
constexpr std::uint16_t pointer_target = 0x3FFF;

}  // namespace

Result<std::size_t> expand_name(std::span<const std::uint8_t> message, std::size_t position,
                                FlatName& name) {
  std::size_t at = position;
  std::size_t behind = 0;  // the first pointer, once one was met
  std::size_t pointers = 0;
  std::size_t pointer_limit = position;
  std::size_t length = 0;
  std::size_t labels = 0;
  for (;;) {
    if (at >= message.size()) return fail(Error::short_message);
    const std::uint8_t octet = message[at];
    if (octet == 0) break;
    if (octet <= label_octets_max) {
      const std::size_t label_octets = std::size_t{octet} + 1;
      if (length + label_octets >= name_octets_max) return fail(Error::bad_name);
      if (label_octets > message.size() - at) return fail(Error::short_message);
      name.label_starts[labels++] = static_cast<std::uint8_t>(length);
      std::memcpy(name.octets.data() + length, message.data() + at, label_octets);
      length += label_octets;
      at += label_octets;
      continue;
    }
    if (octet < pointer_mark) return fail(Error::bad_name);
    if (message.size() - at < 2) return fail(Error::short_message);
    const std::size_t target = load16(message.data() + at) & pointer_target;
    // RFC 1035 §4.1.4. Each pointer must aim before the part it was found in, so the limit only
    // falls.
    if (target >= pointer_limit || ++pointers > name_pointers_max) return fail(Error::bad_name);
    pointer_limit = target;
    if (behind == 0) behind = at + 2;
    at = target;
  }
  name.octets[length] = 0;
  name.length = static_cast<std::uint8_t>(length + 1);
  name.labels = static_cast<std::uint8_t>(labels);
  return behind != 0 ? behind : at + 1;
}

Result<std::size_t> skip_name(std::span<const std::uint8_t> message, std::size_t position) {
  std::size_t at = position;
  for (;;) {
    if (at >= message.size()) return fail(Error::short_message);
    const std::uint8_t octet = message[at];
    if (octet == 0) return at + 1;
    if (octet <= label_octets_max) {
      at += std::size_t{octet} + 1;
      if (at - position >= name_octets_max) return fail(Error::bad_name);
      continue;
    }
    if (octet < pointer_mark) return fail(Error::bad_name);
    if (message.size() - at < 2) return fail(Error::short_message);
    const std::size_t target = load16(message.data() + at) & pointer_target;
    if (target >= position) return fail(Error::bad_name);
    return at + 2;
  }
}

}  // namespace sotto
