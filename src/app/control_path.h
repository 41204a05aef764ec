// Where the control socket is, for the server and for sotto cache alike.
// Test: tests/unit/app/control_path_test.cc.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "app/config_source.h"

namespace sotto {

struct ControlPath {
  std::string path;
  bool automatic = false;       // chosen here, not configured: sotto runs without if it must
  bool make_directory = false;  // its directory is sotto's own to make
};

// root: this process runs as root. The error says why there is none: switched off, or no directory
// is known.
tl::expected<ControlPath, std::string> control_path(const Config::Control& control,
                                                    const Environment& environment, bool root);

}  // namespace sotto
