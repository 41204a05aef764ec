// Durations in their one written form: a number and a unit, "4.5s", "250ms".
// Test: tests/unit/app/duration_test.cc.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sotto {

// Units ms, s, m, h, d; up to three decimals, a whole number of milliseconds; at most a year.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// As parse_duration() reads it back, in the largest unit that needs no decimals, "1d", "90s"; but
// "250ms" below a second and "4.5s" above.
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace sotto
