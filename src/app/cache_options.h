// What sotto cache is asked to do. Test: tests/unit/app/cache_options_test.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "admin/control_protocol.h"

namespace sotto {

// As typed.
struct CacheWords {
  std::vector<std::string> words;  // flush, NAME
  bool below = false;
  std::string socket;
  std::string config_file;
};

// One row per flag; the command line, --help and the man page read it.
struct CacheFlag {
  std::string_view flag;
  std::string_view argument;  // "PATH"; empty: a switch
  bool CacheWords::*on;       // of a switch
  std::string CacheWords::*text;
  std::string_view help;
};
std::span<const CacheFlag> cache_flags();

// The call that does it. The error is one line.
tl::expected<ControlCall, std::string> parse_cache_words(const CacheWords& words);

}  // namespace sotto
