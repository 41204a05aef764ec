// sotto cache: tells the running sotto, and prints what it says.
#pragma once

#include "app/cache_options.h"
#include "app/config_source.h"

namespace sotto {

// source: says where the socket is unless words do. 0: done; 1: it was not; 2: the configuration
// is wrong.
int run_cache(const ControlCall& call, const CacheWords& words, const ConfigSource& source,
              const Environment& environment);

}  // namespace sotto
