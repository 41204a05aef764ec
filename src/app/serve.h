// sotto serve: the running forwarder.
#pragma once

#include "app/config_source.h"

namespace sotto {

// Loads the configuration, serves until SIGTERM or SIGINT, and drains. Returns the exit code: 0
// after a clean stop, 1 for a failure at run time, 2 for a wrong configuration. Errors are on
// stderr.
int serve(const ConfigSource& configured, const Environment& environment);

}  // namespace sotto
