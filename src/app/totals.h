// What workers did, in the log when they have stopped. Test: tests/integration/test_bounds.py,
// test_logging.py.
#pragma once

#include <memory>
#include <vector>

#include "app/logging.h"
#include "app/worker.h"

namespace sotto {

// Of all workers together, one line each: clients, UDP, TCP, TLS and HTTPS (if anybody came),
// upstreams.
void log_totals(Log& log, const std::vector<std::unique_ptr<Worker>>& workers);

}  // namespace sotto
