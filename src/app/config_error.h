// What is wrong with the configuration, and where: one line per error. Test:
// tests/unit/app/config_text_test.cc.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sotto {

// Where a setting was given: a file with line and column, or "SOTTO_UPSTREAM", or "--upstream".
struct Place {
  std::string source;
  unsigned line = 0;  // from 1; 0 outside files
  unsigned column = 0;

  bool in_file() const { return line != 0; }
  std::string text() const;  // "sotto.toml:3:9", "--upstream"

  friend bool operator==(const Place&, const Place&) = default;
  friend bool operator<(const Place& left, const Place& right) {
    return std::tie(left.source, left.line, left.column) <
           std::tie(right.source, right.line, right.column);
  }
};

struct ConfigError {
  Place place;
  std::string message;  // printable, one line

  // "sotto.toml:3:9: unknown key ("worker"); did you mean "workers"?"
  std::string text() const;
};

// `what ("offending"); suggestion`, the offending text escaped; suggestion may be empty.
std::string complaint(std::string_view what, std::string_view offending,
                      std::string_view suggestion = {});

// One line each, as they go to standard error.
std::string errors_text(const std::vector<ConfigError>& errors);

// Sorted by place, each line once.
void tidy_errors(std::vector<ConfigError>& errors);

}  // namespace sotto
