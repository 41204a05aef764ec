#include "app/log_line.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "app/json.h"
#include "app/text.h"

namespace sotto {

namespace {

// Longer values are cut: no line grows with what a stranger sends.
constexpr std::size_t value_octets_max = 1'024;

constexpr std::size_t level_columns = 8;  // of the longest level and a blank

// A value of the text form: bare if it is one plain word, else quoted.
std::string text_value(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char character) {
    return character > ' ' && character <= '~' && character != '"' && character != '\\' &&
           character != '=';
  });
  if (plain && text.size() <= value_octets_max) return std::string(text);
  return "\"" + escaped(text, value_octets_max) + "\"";
}

std::string value_text(const LogField& field, bool json) {
  if (const auto* number = std::get_if<std::int64_t>(&field.value)) return std::to_string(*number);
  if (const auto* flag = std::get_if<bool>(&field.value)) return *flag ? "true" : "false";
  const std::string_view text = std::get<std::string_view>(field.value);
  return json ? json_string(text, value_octets_max) : text_value(text);
}

std::string text_line(const std::string& time, LogLevel level, std::string_view kind,
                      std::string_view message, std::span<const LogField> fields) {
  std::string line = time + " ";
  const std::string_view name = to_text(level);
  line += name;
  line.append(level_columns - name.size(), ' ');
  line += kind;
  line += ": ";
  // Quotes of our own sentences stay readable; what a stranger sent stands in fields.
  for (const char character : message.substr(0, value_octets_max)) {
    const bool quote = character == '"';
    line += quote ? std::string(1, character) : escaped({&character, 1});
  }
  for (const LogField& field : fields) {
    line += " ";
    line += field.key;
    line += "=" + value_text(field, false);
  }
  return line;
}

std::string json_line(const std::string& time, LogLevel level, std::string_view kind,
                      std::string_view message, std::span<const LogField> fields) {
  std::string line = "{\"time\":\"" + time + "\",\"level\":\"" + std::string(to_text(level)) + "\"";
  line +=
      ",\"event\":" + json_string(kind) + ",\"message\":" + json_string(message, value_octets_max);
  for (const LogField& field : fields) {
    line += "," + json_string(field.key) + ":" + value_text(field, true);
  }
  return line + "}";
}

}  // namespace

std::string timestamp(std::chrono::system_clock::time_point time) {
  using std::chrono::duration_cast;
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const auto milliseconds = duration_cast<std::chrono::milliseconds>(since - seconds).count();
  const std::time_t count = seconds.count();
  std::tm parts{};
  ::gmtime_r(&count, &parts);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03uZ",
                static_cast<unsigned>(milliseconds) % 1'000U);
  return std::string(text.data(), length) + fraction.data();
}

std::string log_line(LogFormat format, std::chrono::system_clock::time_point time, LogLevel level,
                     std::string_view kind, std::string_view message,
                     std::span<const LogField> fields) {
  const std::string when = timestamp(time);
  return format == LogFormat::json ? json_line(when, level, kind, message, fields)
                                   : text_line(when, level, kind, message, fields);
}

bool LogLimiter::admit(std::string_view kind, Instant now) {
  Window& current = windows_[kind];
  if (current.lines == 0 || now - current.begin >= window) {
    // What was suppressed stays until ended() has told it.
    current.begin = now;
    current.lines = 0;
  }
  if (current.lines < lines_per_window) {
    ++current.lines;
    return true;
  }
  ++current.suppressed;
  return false;
}

std::vector<LogLimiter::Suppressed> LogLimiter::ended(Instant now) {
  std::vector<Suppressed> ended;
  for (auto& [kind, current] : windows_) {
    if (current.suppressed == 0 || now - current.begin < window) continue;
    ended.push_back({kind, current.suppressed});
    current.suppressed = 0;
  }
  return ended;
}

}  // namespace sotto
