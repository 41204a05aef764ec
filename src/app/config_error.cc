#include "app/config_error.h"

#include <algorithm>
#include <tuple>

#include "app/text.h"

namespace sotto {

std::string Place::text() const {
  if (!in_file()) return escaped(source);
  return escaped(source) + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string ConfigError::text() const {
  return place.text() + ": " + message;
}

std::string complaint(std::string_view what, std::string_view offending,
                      std::string_view suggestion) {
  std::string message(what);
  message += " (\"" + escaped(offending, offending_octets_max) + "\")";
  if (!suggestion.empty()) {
    message += "; ";
    message += suggestion;
  }
  return message;
}

std::string errors_text(const std::vector<ConfigError>& errors) {
  std::string text;
  for (const ConfigError& error : errors) text += error.text() + "\n";
  return text;
}

void tidy_errors(std::vector<ConfigError>& errors) {
  std::stable_sort(errors.begin(), errors.end(),
                   [](const ConfigError& left, const ConfigError& right) {
                     return std::tie(left.place.line, left.place.column) <
                            std::tie(right.place.line, right.place.column);
                   });
  // One --listen is two keys, so its fault is found twice; duplicates need not be neighbours.
  std::vector<ConfigError> kept;
  for (ConfigError& error : errors) {
    const bool known = std::any_of(kept.begin(), kept.end(), [&](const ConfigError& other) {
      return other.place == error.place && other.message == error.message;
    });
    if (!known) kept.push_back(std::move(error));
  }
  errors = std::move(kept);
}

}  // namespace sotto
