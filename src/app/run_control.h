// Commands that talk to the running sotto: sotto cache, sotto upstreams.
#pragma once

#include <string>

#include "admin/control_protocol.h"
#include "app/config_source.h"

namespace sotto {

// Sends call to the running sotto, and prints what it says. socket: where it listens; empty: where
// source says. 0: done; 1: it was not; 2: the configuration is wrong.
int run_control(const ControlCall& call, const std::string& socket, const ConfigSource& source,
                const Environment& environment);

}  // namespace sotto
