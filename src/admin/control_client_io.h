// One call over the control socket, waiting for its answer.
// Test: tests/unit/admin/control_server_test.cc.
#pragma once

#include <chrono>
#include <string>

#include "admin/control_protocol.h"

namespace sotto {

// The error is the server's, or says that and why nobody was reached: one line. patience: for how
// long the server may be silent.
ControlResult ask_control(const std::string& path, const ControlCall& call,
                          std::chrono::seconds patience);

}  // namespace sotto
