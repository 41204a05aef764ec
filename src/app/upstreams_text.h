// What sotto upstreams prints: for people, or as JSON for programs, whose names are an interface.
// Test: tests/unit/app/upstreams_text_test.cc.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/worker_watch.h"

namespace sotto {

// now: certificates are good until then or not.
std::string upstreams_text(const std::vector<WorkerState>& workers,
                           std::chrono::system_clock::time_point now);
std::string upstreams_json(const std::vector<WorkerState>& workers);

// "0.4 ms", "12 ms", "1.5 s", "42 s", "5 min", "3 h", "12 days"
std::string rough_duration(Duration duration);

}  // namespace sotto
