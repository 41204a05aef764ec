// Extended DNS Errors as upstreams send them, RFC 8914. Test: tests/unit/dns/answer_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "dns/answer.h"

namespace sotto {

// value: of the EDE option. The text is kept as far as it is printable UTF-8, at most
// ede_text_octets_max octets, never cut inside a character. Empty for a value without a code.
std::optional<ExtendedError> read_extended_error(std::span<const std::uint8_t> value);

}  // namespace sotto
