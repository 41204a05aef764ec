// Names of the numbers of DNS: types, classes, RCODEs, EDE codes (IANA's registries).
// Test: tests/unit/app/query/record_types_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sotto {

// "AAAA", or "TYPE65280" (RFC 3597 §5).
std::string type_text(std::uint16_t type);
// Both forms, in any case.
std::optional<std::uint16_t> type_from_text(std::string_view text);

// "IN", or "CLASS42".
std::string class_text(std::uint16_t qclass);
std::optional<std::uint16_t> class_from_text(std::string_view text);

// "NXDOMAIN", or "RCODE42".
std::string rcode_text(std::uint16_t rcode);

// "No Reachable Authority", or an empty view.
std::string_view ede_name(std::uint16_t code);

// How the fields of this type's data are laid out, one letter each; see rdata_text.cc. Empty for
// types that are only known by name.
std::string_view rdata_layout_text(std::uint16_t type);

}  // namespace sotto
