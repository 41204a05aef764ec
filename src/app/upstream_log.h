// What happens to upstreams, told to the operator: changes of state as they happen, repetitions of
// the same failure only at level debug. Test: tests/integration/test_logging.py.
#pragma once

#include <map>
#include <set>
#include <string>

#include "app/logging.h"
#include "upstream/upstream.h"

namespace sotto {

class UpstreamLog final : public UpstreamObserver {
 public:
  explicit UpstreamLog(Log& log) : log_(log) {}
  void on_upstream_event(const UpstreamEvent& event) override;

 private:
  void on_failed(const UpstreamEvent& event);
  bool all_failing(const Upstream& upstream) const;

  Log& log_;
  std::map<std::string, std::string> failing_;  // reason by address, until it answers
  std::set<std::string> down_;                  // upstreams all of whose addresses fail
};

}  // namespace sotto
