// sotto query: asks, prints, and says by its exit code how it went.
#pragma once

#include "app/query/query_options.h"

namespace sotto {

// 0: NOERROR or NXDOMAIN; 1: another RCODE, a malformed answer or none.
int run_query(const QueryOptions& options);

}  // namespace sotto
