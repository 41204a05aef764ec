// The pages of the admin listener: /metrics, /livez, /readyz.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "admin/http_pages.h"
#include "app/health.h"
#include "app/worker_watch.h"
#include "cache/cache.h"
#include "transport/tls_server_credentials.h"

namespace sotto {

// What the pages are made of. Called from the admin thread, one at a time.
struct AdminSources {
  std::function<std::vector<WorkerState>()> look;
  std::function<ServingPhase()> phase;
  std::function<CacheStats()> cache;
  std::function<bool()> stale_allowed;  // may an answer be given that has expired?
  std::function<std::vector<ServerCertificate>()> certificates;  // shown to clients
  std::chrono::system_clock::time_point started;
};

HttpPages admin_pages(AdminSources sources);

}  // namespace sotto
