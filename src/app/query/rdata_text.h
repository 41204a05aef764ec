// The data of a record in presentation format. What a hostile server sends comes out as printable
// ASCII. RFC 1035 §5.1, RFC 3597 §5, RFC 4034, RFC 9460 §2.1. Test:
// tests/unit/app/query/rdata_text_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "dns/wire.h"

namespace sotto {

// message: the message up to the end of the data, which begins at position. Data of unknown types,
// and data that does not fit its type, is printed as \# LENGTH HEX.
std::string rdata_text(std::uint16_t type, std::span<const std::uint8_t> message,
                       std::size_t position);

// One character-string between quotes, escaped (RFC 1035 §5.1).
std::string quoted_string(std::span<const std::uint8_t> octets);

// "2001:db8::1"; an IPv4-mapped address keeps its form, as it is IPv6 in a record.
std::string ipv6_text(std::span<const std::uint8_t, 16> octets);

// The parameters of SVCB and HTTPS, up to the reader's end; nothing if they are malformed.
std::optional<std::string> svcb_parameters_text(WireReader& reader);

}  // namespace sotto
