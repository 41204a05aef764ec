// One call over the control socket, waiting for its answer.
// Test: tests/unit/admin/control_server_test.cc.
#pragma once

#include <string>

#include "admin/control_protocol.h"

namespace sotto {

// The error is the server's, or says that and why nobody was reached: one line.
ControlResult ask_control(const std::string& path, const ControlCall& call);

}  // namespace sotto
