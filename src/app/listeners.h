// The sockets of all workers, bound before the first query is taken, so that nothing starts half.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/config.h"
#include "app/inherited_sockets.h"
#include "app/logging.h"
#include "app/worker.h"

namespace sotto {

// One element per worker. inherited: the sockets that config's addresses of their transports are
// of, in that order; workers share them. The error is a line for standard error. A default address
// the host lacks is skipped with a log line.
tl::expected<std::vector<WorkerSockets>, std::string> open_sockets(
    const Config& config, const std::vector<InheritedSocket>& inherited, Log& log);

}  // namespace sotto
