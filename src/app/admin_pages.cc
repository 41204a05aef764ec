#include "app/admin_pages.h"

#include <memory>
#include <utility>

#include "app/help.h"
#include "app/metrics.h"
#include "app/process_usage.h"

namespace sotto {

namespace {

HttpAnswer metrics_answer(const AdminSources& sources) {
  return {.text = metrics_text({.version = std::string(version_number()),
                                .started = sources.started,
                                .process = process_usage(),
                                .cache = sources.cache(),
                                .workers = sources.look(),
                                .certificates = sources.certificates()}),
          .type = std::string(metrics_type)};
}

HttpAnswer readyz_answer(const AdminSources& sources) {
  return ready_answer(sources.phase(), sources.look, [&sources] {
    return sources.stale_allowed() && sources.cache().entries > 0;
  });
}

}  // namespace

HttpPages admin_pages(AdminSources sources) {
  const auto shared = std::make_shared<const AdminSources>(std::move(sources));
  return {{"/livez", [shared] { return live_answer(shared->look()); }},
          {"/metrics", [shared] { return metrics_answer(*shared); }},
          {"/readyz", [shared] { return readyz_answer(*shared); }}};
}

}  // namespace sotto
