// How a pool takes over a configuration: what stays the same keeps its connections and what was
// learned.
#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "upstream/pool.h"

namespace sotto {
namespace {

Question probe_question_of(const Name& name) {
  const bool root = name.octets().size() == 1;
  return Question(name.octets(), root ? rtype::ns : rtype::a, rclass::in, {});
}

std::uint64_t stable_hash(std::string_view name) {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(name.data());
  return keyed_hash({octets, name.size()}, 0);
}

}  // namespace

void Pool::apply(PoolSpec spec) {
  std::vector<std::unique_ptr<Upstream>> old = std::exchange(upstreams_, {});
  groups_.clear();
  for (GroupSpec& group : spec.groups) {
    const auto first = static_cast<std::uint32_t>(upstreams_.size());
    for (UpstreamSpec& one : group.upstreams) {
      upstreams_.push_back(adopt(std::move(one), old));
      upstreams_.back()->group = static_cast<std::uint32_t>(groups_.size());
    }
    groups_.push_back({.name = std::move(group.name),
                       .selection = group.selection,
                       .first = first,
                       .count = static_cast<std::uint32_t>(upstreams_.size()) - first});
  }
  hedge_percent_ = spec.hedge_percent;
  health_ = spec.health;
  probe_question_ = probe_question_of(health_.probe_name);
  for (const auto& upstream : old) {
    if (!upstream) continue;
    for (auto& endpoint : upstream->endpoints) {
      if (endpoint) retire(std::move(endpoint));
    }
  }
  for (const auto& endpoint : departed_.endpoints) {
    for (const auto& connection : endpoint->connections) connection->drain();
  }
  bury();
  events_->on_change();
}

// An upstream that shares an endpoint with the old configuration goes on as the same one.
std::unique_ptr<Upstream> Pool::adopt(UpstreamSpec spec,
                                      std::vector<std::unique_ptr<Upstream>>& old) {
  auto upstream = std::make_unique<Upstream>();
  for (const auto& before : old) {
    const bool same =
        std::any_of(before->endpoints.begin(), before->endpoints.end(), [&](const auto& endpoint) {
          return endpoint && std::find(spec.endpoints.begin(), spec.endpoints.end(),
                                       endpoint->spec) != spec.endpoints.end();
        });
    const bool taken = std::any_of(upstreams_.begin(), upstreams_.end(),
                                   [&](const auto& other) { return other->id == before->id; });
    // A host name whose addresses have all changed still names the same provider.
    const bool known = same || before->spec.name == spec.name;
    if (!known || taken) continue;
    upstream->id = before->id;
    upstream->latency = before->latency;
    upstream->expected = before->expected;
    upstream->last_query = before->last_query;
    upstream->last_answer = before->last_answer;
    upstream->last_probe = before->last_probe;
    upstream->probe_when_ready = before->probe_when_ready;
    upstream->totals = before->totals;
    upstream->connect = before->connect;
    upstream->handshake = before->handshake;
    upstream->wait = before->wait;
    break;
  }
  if (upstream->id == 0) upstream->id = next_upstream_id_++;
  for (const EndpointSpec& endpoint : spec.endpoints) {
    upstream->endpoints.push_back(adopt_endpoint(endpoint, *upstream, old));
  }
  upstream->name_hash = stable_hash(spec.name);
  upstream->spec = std::move(spec);
  return upstream;
}

std::unique_ptr<Endpoint> Pool::adopt_endpoint(const EndpointSpec& spec, Upstream& upstream,
                                               std::vector<std::unique_ptr<Upstream>>& old) {
  for (const auto& before : old) {
    for (auto& endpoint : before->endpoints) {
      if (!endpoint || endpoint->spec != spec) continue;
      endpoint->upstream = &upstream;
      endpoint->edns = {};  // whoever configures anew wants to see it tried
      return std::move(endpoint);
    }
  }
  auto endpoint = std::make_unique<Endpoint>();
  endpoint->spec = spec;
  endpoint->upstream = &upstream;
  endpoint->backoff = backoffs_.of(spec.identity);
  endpoint->backoff->on_answer();  // what failed under the old configuration is tried at once
  return endpoint;
}

void Pool::retire(std::unique_ptr<Endpoint> endpoint) {
  endpoint->upstream = &departed_;
  departed_.endpoints.push_back(std::move(endpoint));
}

}  // namespace sotto
