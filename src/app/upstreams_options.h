// What sotto upstreams is asked to do. Test: tests/unit/app/upstreams_options_test.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "admin/control_protocol.h"

namespace sotto {

// As typed.
struct UpstreamsWords {
  std::vector<std::string> words;  // there should be none
  bool json = false;
  std::string socket;
  std::string config_file;
};

// One row per flag; the command line, --help and the man page read it.
struct UpstreamsFlag {
  std::string_view flag;
  std::string_view argument;  // "PATH"; empty: a switch
  bool UpstreamsWords::*on;   // of a switch
  std::string UpstreamsWords::*text;
  std::string_view help;
};
std::span<const UpstreamsFlag> upstreams_flags();

// The call that does it. The error is one line.
tl::expected<ControlCall, std::string> parse_upstreams_words(const UpstreamsWords& words);

}  // namespace sotto
