// The sockets of all workers, bound before the first query is taken, so that nothing starts half.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/config.h"
#include "app/logging.h"
#include "app/worker.h"

namespace sotto {

// One element per worker. The error is a line for standard error. A default address the host lacks
// is skipped with a log line.
tl::expected<std::vector<WorkerSockets>, std::string> open_sockets(const Config& config, Log& log);

}  // namespace sotto
