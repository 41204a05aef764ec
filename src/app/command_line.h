// What the user typed: a command, and settings for the configuration or for sotto query.
// Test: tests/unit/app/command_line_test.cc.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/config_source.h"
#include "app/query/query_options.h"

namespace sotto {

struct CommandLine {
  enum class Command : std::uint8_t { serve, check, query, help, query_help, version };

  Command command = Command::serve;
  std::optional<std::string> config_file;
  CommandLineSettings settings;
  QueryWords query;
};

// arguments: without the program's name. The error is one line.
tl::expected<CommandLine, std::string> parse_command_line(std::vector<std::string> arguments);

}  // namespace sotto
