// What happens to upstreams, told to the operator.
#pragma once

#include "app/logging.h"
#include "upstream/upstream.h"

namespace sotto {

class UpstreamLog final : public UpstreamObserver {
 public:
  explicit UpstreamLog(Log& log) : log_(log) {}
  void on_upstream_event(const UpstreamEvent& event) override;

 private:
  void on_failed(const UpstreamEvent& event);

  Log& log_;
};

}  // namespace sotto
