// Durations in their one written form: a number and a unit, "4.5s", "250ms".
// Test: tests/unit/app/duration_test.cc.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sotto {

// Units ms, s, m, h; up to three decimals, a whole number of milliseconds; at most a year.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// The shortest form that parse_duration() reads back: "250ms" below a second, then "4.5s".
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace sotto
