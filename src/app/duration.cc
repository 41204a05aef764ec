#include "app/duration.h"

#include <array>
#include <cstdint>

namespace sotto {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};

constexpr std::array<Unit, 5> units{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

constexpr std::int64_t duration_max = std::int64_t{366} * 24 * 3'600'000;
constexpr std::size_t digits_max = 12;  // keeps thousandths × a day far inside 64 bits
constexpr std::size_t decimals_max = 3;

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t thousandths = 0;
  std::size_t digits = 0;
  std::size_t decimals = 0;
  bool point = false;
  for (; !text.empty(); text.remove_prefix(1)) {
    const char character = text.front();
    if (character == '.' && !point && digits > 0) {
      point = true;
    } else if (character >= '0' && character <= '9') {
      if (++digits > digits_max || (point && ++decimals > decimals_max)) return std::nullopt;
      thousandths = thousandths * 10 + (character - '0');
    } else {
      break;
    }
  }
  if (digits == 0 || (point && decimals == 0)) return std::nullopt;
  for (std::size_t missing = decimals; missing < decimals_max; ++missing) thousandths *= 10;
  for (const Unit& unit : units) {
    if (unit.name != text) continue;
    if (thousandths > duration_max * 1'000 / unit.milliseconds) return std::nullopt;
    const std::int64_t scaled = thousandths * unit.milliseconds;
    if (scaled % 1'000 != 0) return std::nullopt;
    return std::chrono::milliseconds{scaled / 1'000};
  }
  return std::nullopt;
}

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t count = duration.count();
  if (count != 0 && count < 1'000) return std::to_string(count) + "ms";
  for (auto unit = units.rbegin(); count != 0 && unit->milliseconds > 1'000; ++unit) {
    if (count % unit->milliseconds != 0) continue;
    return std::to_string(count / unit->milliseconds) + std::string(unit->name);
  }
  std::string text = std::to_string(count / 1'000);
  if (std::int64_t rest = count % 1'000; rest != 0) {
    std::string decimals = std::to_string(1'000 + rest).substr(1);
    while (decimals.back() == '0') decimals.pop_back();
    text += "." + decimals;
  }
  return text + "s";
}

}  // namespace sotto
