#include "app/octets.h"

#include <array>
#include <limits>

namespace sotto {

namespace {

struct Unit {
  std::string_view name;
  unsigned shift;
};

constexpr std::array<Unit, 5> units{{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}}};

constexpr std::size_t digits_max = 18;  // fits into 64 bits

}  // namespace

std::optional<std::int64_t> parse_octets(std::string_view text) {
  std::int64_t number = 0;
  std::size_t digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    if (++digits > digits_max) return std::nullopt;
    number = number * 10 + (text.front() - '0');
  }
  if (digits == 0) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name != text) continue;
    if (number > std::numeric_limits<std::int64_t>::max() >> unit.shift) return std::nullopt;
    return number << unit.shift;
  }
  return std::nullopt;
}

std::string octets_text(std::int64_t octets) {
  for (const Unit& unit : units) {
    const std::int64_t whole = octets >> unit.shift;
    if (whole << unit.shift != octets || whole == 0) continue;
    return std::to_string(whole) + std::string(unit.name);
  }
  return "0";
}

}  // namespace sotto
