// GET /livez and /readyz: is it of any use to leave this sotto running, and to send it queries?
// Test: tests/unit/app/health_test.cc, tests/integration/test_admin.py.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "admin/http_pages.h"
#include "app/worker_watch.h"

namespace sotto {

enum class ServingPhase : std::uint8_t { starting, serving, draining };

// 200, or 503 naming the workers whose loop has not turned within the watch's patience. One that
// has ended was told to.
HttpAnswer live_answer(const std::vector<WorkerState>& workers);

// 200 if a query would get an answer: an upstream is usable, or what the cache has may be given
// stale. Else 503 with the reason. They are called only if need be.
HttpAnswer ready_answer(ServingPhase phase, const std::function<std::vector<WorkerState>()>& look,
                        const std::function<bool()>& has_stale_answers);

}  // namespace sotto
