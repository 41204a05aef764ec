// Text from strangers made safe to print, and near misses found. Test: tests/unit/app/text_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sotto {

// Offending text is quoted up to here, so that one error stays one readable line.
inline constexpr std::size_t offending_octets_max = 120;

// Printable ASCII, with " and \ behind a backslash and every other octet as \xNN, so that neither a
// terminal nor a log reader is led astray. Cut with "..." after octets_max input octets.
std::string escaped(std::string_view text, std::size_t octets_max = std::string_view::npos);

// "text", quoted and escaped so that TOML reads back the same octets; text is valid UTF-8.
std::string toml_string(std::string_view text);

// ["a", "b"]
std::string toml_list(const std::vector<std::string>& texts);

// Insertions, deletions, substitutions and swaps of neighbours that turn one into the other.
std::size_t edit_distance(std::string_view left, std::string_view right);

// The candidate that was probably meant, or an empty view: within a third of the text's length.
std::string_view nearest(std::string_view text, const std::vector<std::string_view>& candidates);

std::string_view trimmed(std::string_view text);
std::string lower_case(std::string_view text);

// Splits at commas, trims, leaves out empty elements.
std::vector<std::string> split_list(std::string_view text);

// With padding (RFC 4648 §4).
std::string base64(std::span<const std::uint8_t> octets);

// Two digits an octet, lower case.
std::string hex(std::span<const std::uint8_t> octets);

// "a, b, c"
std::string joined(const std::vector<std::string_view>& texts);

}  // namespace sotto
