// What the clients of DNS over HTTPS did, beyond what all streams count, in one worker.
// Test: tests/unit/frontend/doh_stream_test.cc.
#pragma once

#include <array>
#include <cstddef>

#include "base/counters.h"
#include "transport/http2_allowance.h"

namespace sotto {

struct DohCounters {
  Counter ok;       // responses with status 200
  Counter refused;  // … 4xx: what was asked was no query
  Counter http1;    // connections of clients of HTTP/1, answered 505
  // Connections that were ended for what the client did, by why; none and goodbye stay 0.
  std::array<Counter, http2_endings> endings;

  Counter& ending(Http2Ending ending) { return endings[static_cast<std::size_t>(ending)]; }
  const Counter& ending(Http2Ending ending) const {
    return endings[static_cast<std::size_t>(ending)];
  }
};

}  // namespace sotto
