#include "app/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

namespace sotto {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

void append_hex(std::string& out, std::uint8_t octet) {
  out += hex_digits[octet >> 4U];
  out += hex_digits[octet & 15U];
}

bool printable(char character) {
  return character >= ' ' && character <= '~';
}

}  // namespace

std::string escaped(std::string_view text, std::size_t octets_max) {
  std::string out;
  for (const char character : text.substr(0, octets_max)) {
    if (character == '"' || character == '\\') {
      out += '\\';
      out += character;
    } else if (printable(character)) {
      out += character;
    } else {
      out += "\\x";
      append_hex(out, static_cast<std::uint8_t>(character));
    }
  }
  if (text.size() > octets_max) out += "...";
  return out;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char character : text) {
    const auto octet = static_cast<std::uint8_t>(character);
    if (character == '"' || character == '\\') {
      out += '\\';
      out += character;
    } else if (octet < 0x20U || octet == 0x7FU) {
      out += "\\u00";
      append_hex(out, octet);
    } else {
      out += character;
    }
  }
  return out + "\"";
}

std::string toml_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ", ";
    out += toml_string(text);
  }
  return out + "]";
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
  // Three rows of the table of distances between prefixes: before last, last, current.
  std::array<std::vector<std::size_t>, 3> rows;
  for (auto& row : rows) row.resize(right.size() + 1);
  std::iota(rows[1].begin(), rows[1].end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    rows[2][0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t changed = rows[1][j - 1] + (left[i - 1] == right[j - 1] ? 0U : 1U);
      rows[2][j] = std::min({rows[1][j] + 1, rows[2][j - 1] + 1, changed});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]) {
        rows[2][j] = std::min(rows[2][j], rows[0][j - 2] + 1);
      }
    }
    std::rotate(rows.begin(), rows.begin() + 1, rows.end());
  }
  return rows[1][right.size()];
}

std::string_view nearest(std::string_view text, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t text_octets_max = 64;  // nothing of ours is longer; bounds the work
  if (text.size() > text_octets_max) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, text.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(text, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& character : out) {
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
  }
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = trimmed(text.substr(0, comma));
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

std::string base64(std::span<const std::uint8_t> octets) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < octets.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, octets.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = (group << 8U) | (j < count ? octets[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= count ? digits[(group >> (18U - 6U * j)) & 63U] : '=';
    }
  }
  return out;
}

std::string hex(std::span<const std::uint8_t> octets) {
  std::string out;
  for (const std::uint8_t octet : octets) append_hex(out, octet);
  return out;
}

std::string joined(const std::vector<std::string_view>& texts) {
  std::string out;
  for (const std::string_view text : texts) {
    if (!out.empty()) out += ", ";
    out += text;
  }
  return out;
}

}  // namespace sotto
