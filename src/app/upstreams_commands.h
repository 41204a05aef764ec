// The commands of the control socket that concern upstreams:
//
//     upstreams         what is known of them, for people
//     upstreams json    … for programs
//
// Test: tests/unit/app/upstreams_text_test.cc.
#pragma once

#include <functional>
#include <vector>

#include "admin/control_protocol.h"
#include "app/worker_watch.h"

namespace sotto {

// look is called from the server's thread.
ControlCommands upstreams_commands(std::function<std::vector<WorkerState>()> look);

}  // namespace sotto
