// Lines of the log: what was said, rendered as text or JSON, and how often the same kind may be
// said. No clock and no output here. Test: tests/unit/app/logging_test.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "app/config.h"
#include "base/clock.h"

namespace sotto {

// A key and its value. Views: valid while the line is made.
struct LogField {
  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  LogField(std::string_view name, const std::string& text)
      : key(name), value(std::string_view(text)) {}
  template <class Number>
  requires std::is_integral_v<Number> LogField(std::string_view name, Number number)
      : key(name), value(to_value(number)) {}

  std::string_view key;
  std::variant<std::string_view, std::int64_t, bool> value;

 private:
  template <class Number>
  static std::variant<std::string_view, std::int64_t, bool> to_value(Number number) {
    if constexpr (std::is_same_v<Number, bool>)
      return number;
    else
      return static_cast<std::int64_t>(number);
  }
};

// Which kind of message: "upstream.connected". Limits count by kind, so only literals can name one.
class LogKind {
 public:
  consteval LogKind(const char* name) : name_(name) {}
  std::string_view name() const { return name_; }

 private:
  std::string_view name_;
};

// One line without its line end. Everything that is not printable is escaped.
//   2026-01-01T00:00:00.000Z info    upstream.connected: connected upstream=cloudflare
//   {"time":"2026-01-01T00:00:00.000Z","level":"info","event":"upstream.connected","message":...}
std::string log_line(LogFormat format, std::chrono::system_clock::time_point time, LogLevel level,
                     std::string_view kind, std::string_view message,
                     std::span<const LogField> fields);

// "2026-01-01T00:00:00.000Z"
std::string timestamp(std::chrono::system_clock::time_point time);

// How often one kind may be said, so that neither a failing network nor a client fills the disk.
class LogLimiter {
 public:
  // A burst long enough to show each endpoint of several upstreams failing.
  static constexpr std::uint32_t lines_per_window = 20;
  static constexpr std::chrono::seconds window{10};

  struct Suppressed {
    std::string_view kind;
    std::uint64_t lines;
  };

  // May a line of this kind be said now? If not, it is counted.
  bool admit(std::string_view kind, Instant now);

  // Kinds whose window ended with lines suppressed; each is reported once.
  std::vector<Suppressed> ended(Instant now);

 private:
  struct Window {
    Instant begin{};
    std::uint32_t lines = 0;
    std::uint64_t suppressed = 0;
  };
  std::map<std::string_view, Window> windows_;
};

}  // namespace sotto
