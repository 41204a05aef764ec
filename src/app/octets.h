// Sizes in memory in their written form: a whole number and a unit, "128MiB".
// Test: tests/unit/app/octets_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sotto {

// Units KiB, MiB, GiB, TiB; without one, octets. Not negative; nothing beyond 64 bits.
std::optional<std::int64_t> parse_octets(std::string_view text);

// In the largest unit that leaves a whole number: "128MiB", "1000".
std::string octets_text(std::int64_t octets);

}  // namespace sotto
