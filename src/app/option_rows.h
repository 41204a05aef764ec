// The rows of the option table, a file for each part of the configuration, and what these share.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "app/options.h"

namespace sotto {

// option_table.cc puts them together in this order.
std::span<const Option> client_rows();      // the top of the file, listen, policy, tcp
std::span<const Option> server_tls_rows();  // server_tls
std::span<const Option> discovery_rows();   // discovery
std::span<const Option> upstream_rows();    // group, upstream, hedge, health, tls
std::span<const Option> cache_rows();       // cache, cache.stale
std::span<const Option> operation_rows();   // log, control

// Durations of the table are in milliseconds.
inline constexpr std::int64_t second = 1'000;
inline constexpr std::int64_t minute = 60 * second;
inline constexpr std::int64_t hour = 60 * minute;
inline constexpr std::int64_t day = 24 * hour;

// As TOML.
std::string boolean_text(bool value);
std::string quoted(std::chrono::milliseconds duration);

}  // namespace sotto
