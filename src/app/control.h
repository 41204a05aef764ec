// The control socket of a running sotto, where the configuration wants it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "admin/control_server_io.h"
#include "app/config_source.h"
#include "app/logging.h"

namespace sotto {

// None when it is switched off, or when the automatic path cannot be used, which the log says. A
// configured path that cannot be used is an error. Whoever connects waits for start_control().
tl::expected<std::optional<ControlSocket>, std::string> open_control(const Config::Control& control,
                                                                     const Environment& environment,
                                                                     Log& log);

// Null without a socket. commands are called from the server's thread until it is destroyed.
std::unique_ptr<ControlServer> start_control(std::optional<ControlSocket> socket,
                                             ControlCommands commands, Log& log);

}  // namespace sotto
