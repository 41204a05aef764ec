// The options inside OPT's RDATA: code, length, value (RFC 6891 §6.1.2).
#pragma once

#include <cstdint>
#include <span>

#include "dns/wire.h"

namespace sotto {

inline constexpr std::size_t option_header_octets = 4;  // code and length

// Calls each(code, value) in order. False if a length reaches beyond the RDATA; each() has then
// been called for the options before it.
template <class Each>
bool read_options(std::span<const std::uint8_t> rdata, Each&& each) {
  WireReader reader(rdata);
  while (reader.left() > 0) {
    const std::uint16_t code = reader.take16();
    const auto value = reader.take(reader.take16());
    if (!reader.ok()) return false;
    each(code, value);
  }
  return true;
}

}  // namespace sotto
