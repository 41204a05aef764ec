// The control socket of a running sotto, where the configuration wants it.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "admin/control_server_io.h"
#include "app/config_source.h"
#include "app/logging.h"

namespace sotto {

// Null when there is none: switched off, or the automatic path cannot be used, which the log says.
// A configured path that cannot be used is an error. commands are called from the server's thread
// until it is destroyed.
tl::expected<std::unique_ptr<ControlServer>, std::string> start_control(
    const Config::Control& control, const Environment& environment, ControlCommands commands,
    Log& log);

}  // namespace sotto
