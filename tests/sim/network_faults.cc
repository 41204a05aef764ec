// What servers and the network of the simulation do of themselves.
#include <algorithm>

#include "network.h"

namespace sotto::sim {

using std::chrono::milliseconds;

Duration Network::idle_patience(const Flow& flow) {
  if (on(flow, Fault::fin_idle)) {
    return milliseconds{server_of(flow).conditions.amount(Fault::fin_idle)};
  }
  return milliseconds{settings_.upstreams[settings_.upstream_of(flow.endpoint)].idle_close};
}

void Network::watch_idle(std::uint64_t id, Flow& flow) {
  if (flow.watched) return;
  flow.watched = true;
  queue_.at(flow.last_use + idle_patience(flow), [this, id] {
    if (Flow* found = find(id)) found->watched = false;
    close_if_idle(id);
  });
}

void Network::close_if_idle(std::uint64_t id) {
  Flow* flow = find(id);
  if (flow == nullptr || !flow->ready || flow->pending > 0) return;
  if (now_ - flow->last_use >= idle_patience(*flow)) {
    push_fin(id, *flow);
  } else {
    watch_idle(id, *flow);
  }
}

void Network::reset_all(unsigned endpoint) {
  for (const std::uint64_t id : flows_of(endpoint)) {
    const Flow* flow = find(id);
    if (flow != nullptr && !flow->forgotten) end(id, FailureKind::transport, "connection reset");
  }
}

void Network::reset_often(unsigned endpoint) {
  const Conditions& conditions = servers_[endpoint].conditions;
  if (!conditions.on(Fault::reset_often, now_)) return;
  reset_all(endpoint);
  queue_.at(now_ + milliseconds{std::max(conditions.amount(Fault::reset_often), 50U)},
            [this, endpoint] { reset_often(endpoint); });
}

void Network::begin(const FaultEntry& entry) {
  if (entry.fault == Fault::network_change) {
    ++local_address_;
    for (const auto& [id, flow] : flows_) flow->forgotten = true;
    return;
  }
  servers_[entry.endpoint].conditions.begin(entry, now_ + milliseconds{entry.duration});
  switch (entry.fault) {
    case Fault::reset:
    case Fault::refuse:
      reset_all(entry.endpoint);
      break;
    case Fault::reset_often:
      reset_often(entry.endpoint);
      break;
    case Fault::half_open:
      for (const std::uint64_t id : flows_of(entry.endpoint)) find(id)->forgotten = true;
      break;
    case Fault::fin:
      for (const std::uint64_t id : flows_of(entry.endpoint)) {
        if (find(id)->ready) push_fin(id, *find(id));
      }
      break;
    case Fault::fin_idle:
      for (const std::uint64_t id : flows_of(entry.endpoint)) {
        find(id)->watched = false;
        close_if_idle(id);
      }
      break;
    default:
      break;  // the condition is all there is to it
  }
}

}  // namespace sotto::sim
