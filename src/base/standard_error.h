// Standard error, as whoever reads it leaves it: a pipe that is full, a terminal that is stopped.
// Test: tests/integration/test_stopping.py.
#pragma once

#include <chrono>
#include <string_view>

namespace sotto {

// The whole text, however long that takes; what cannot be written is lost, as nobody can be told.
void write_to_standard_error(std::string_view text);

// The same, for at most patience: what is not written by then is lost. Calls nothing but system
// calls, so signal handlers and those who have no memory left may call it.
void tell_standard_error(std::string_view text,
                         std::chrono::milliseconds patience = std::chrono::milliseconds{1'000});

}  // namespace sotto
