// What the user typed: a command, and settings for the configuration or for the command.
// Test: tests/unit/app/command_line_test.cc.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/cache_options.h"
#include "app/config_source.h"
#include "app/query/query_options.h"
#include "app/upstreams_options.h"

namespace sotto {

struct CommandLine {
  enum class Command : std::uint8_t {
    serve,
    check,
    query,
    cache,
    upstreams,
    help,
    query_help,
    cache_help,
    upstreams_help,
    version
  };

  Command command = Command::serve;
  std::optional<std::string> config_file;
  CommandLineSettings settings;
  QueryWords query;
  CacheWords cache;
  UpstreamsWords upstreams;
};

struct UsageFault {
  std::string text;                                        // one line
  CommandLine::Command help = CommandLine::Command::help;  // which of the helps says what is right
};

// arguments: without the program's name.
tl::expected<CommandLine, UsageFault> parse_command_line(std::vector<std::string> arguments);

}  // namespace sotto
