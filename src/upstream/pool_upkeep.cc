// What a pool does without being asked: connections that time out or are kept warm, endpoints that
// failed and are tried again, upstreams that are asked how they are, and a network that changes.
#include <algorithm>

#include "upstream/pool.h"

namespace sotto {

Instant Pool::next_deadline(bool exchanges_wait) const {
  Instant deadline = upkeep_due();
  for_each_endpoint([&](const Endpoint& endpoint) {
    const Duration suspicion_after = endpoint.suspicion_after();
    for (const auto& connection : endpoint.connections) {
      deadline = std::min(deadline, connection->next_deadline(suspicion_after));
      if (exchanges_wait && young(*connection)) {
        deadline = std::min(deadline, connection->began() + connect_patience);
      }
      if (exchanges_wait && spent(*connection)) {
        deadline = std::min(deadline, rested_at(*connection));
      }
    }
    if (exchanges_wait && !endpoint.opening()) {
      // One that is due already was looked at in this turn and found no use.
      // One that does not fail any more may have been freed by another worker since.
      const Backoff backoff = endpoint.backoff->snapshot();
      if (!backoff.failing()) {
        deadline = std::min(deadline, now_ + backoff_first);
      } else if (backoff.next_attempt() > now_) {
        deadline = std::min(deadline, backoff.next_attempt());
      }
    }
  });
  return deadline;
}

void Pool::on_deadline() {
  for_each_connection([](Connection& connection) {
    connection.on_deadline(connection.endpoint().suspicion_after());
  });
  upkeep();
}

// --- endpoints that fail ------------------------------------------------------------------------

// When this endpoint is tried again though nobody waits for it.
Instant Pool::retry_due(const Endpoint& endpoint, bool network_gone) const {
  const bool wanted = endpoint.known_failing && !network_gone && clients_ask();
  if (!wanted || endpoint.opening()) return never;
  const Duration interval = std::clamp((endpoint.last_begun - endpoint.failing_since) / 10,
                                       retry_interval_min, retry_interval_max);
  return endpoint.last_begun + interval;
}

Instant Pool::upkeep_due() const {
  const bool network_gone = all_known_failing();
  Instant due = network_gone && !upstreams_.empty() ? outage_retry_due_ : never;
  if (!probes_.empty()) due = std::min(due, probes_.front().sent + probe_timeout);
  for (const auto& upstream : upstreams_) {
    for (const auto& endpoint : upstream->endpoints) {
      due = std::min(due, retry_due(*endpoint, network_gone));
      if (!clients_ask()) continue;
      due = std::min({due, endpoint->health.probe_due(), endpoint->edns.probe_due()});
    }
    if (health_.probe_interval > Duration{0}) {
      due = std::min(due, upstream->last_probe + health_.probe_interval);
    }
  }
  return due;
}

void Pool::upkeep() {
  give_up_probes();
  const bool network_gone = all_known_failing();
  if (network_gone && now_ >= outage_retry_due_) retry_one_of_all();
  for (const auto& upstream : upstreams_) {
    for (const auto& endpoint : upstream->endpoints) {
      if (now_ >= retry_due(*endpoint, network_gone)) retry(*endpoint);
      if (clients_ask() && now_ >= endpoint->health.probe_due()) {
        endpoint->health.on_probe(now_, random_);
        probe(*endpoint);
      }
      if (clients_ask() && now_ >= endpoint->edns.probe_due()) {
        endpoint->edns.on_probe(now_);
        probe(*endpoint);
      }
    }
    const bool active = health_.probe_interval > Duration{0};
    if (active && now_ >= upstream->last_probe + health_.probe_interval) probe(*upstream);
  }
}

// While nothing works at all: the one that was not tried for longest.
void Pool::retry_one_of_all() {
  outage_retry_due_ = now_ + outage_retry_interval;
  Endpoint* next = nullptr;
  for (const auto& upstream : upstreams_) {
    for (const auto& endpoint : upstream->endpoints) {
      if (endpoint->opening()) return;
      if (next == nullptr || endpoint->last_begun < next->last_begun) next = endpoint.get();
    }
  }
  if (next != nullptr) retry(*next);
}

void Pool::retry(Endpoint& endpoint) {
  endpoint.last_begun = now_;  // even if another worker tries, or there is no room
  if (endpoint.upstream->connection_count() >= connections_per_upstream_max) return;
  if (endpoint.backoff->begin_attempt(now_, true, random_)) open(endpoint);
}

// --- queries of our own -------------------------------------------------------------------------

// Over a connection it has, or the one it gets for it.
void Pool::probe(Upstream& upstream) {
  upstream.last_probe = now_;
  if (Connection* connection = usable_connection(upstream, false)) {
    probe(*connection);
  } else if (expect_soon(upstream, 0)) {
    upstream.probe_when_ready = true;
  }
}

// Whether it serves well again, no other endpoint can tell.
void Pool::probe(Endpoint& endpoint) {
  for (const auto& connection : endpoint.connections) {
    if (connection->usable(endpoint.in_flight_max)) return probe(*connection);
  }
  const bool room = endpoint.upstream->connection_count() < connections_per_upstream_max;
  if (!endpoint.opening() && room && !endpoint.backoff->snapshot().failing()) open(endpoint);
}

// Whoever does not answer ours still has an ID of that connection taken.
void Pool::give_up_probes() {
  while (!probes_.empty() && now_ >= probes_.front().sent + probe_timeout) {
    abandon(probes_.front().id);
    probes_.pop_front();
  }
}

// Whether an endpoint that failed answers again is found out even if nobody asks it anything.
bool Pool::wants_probe(const Connection& connection) const {
  if (!connection.untouched()) return false;
  const Endpoint& endpoint = connection.endpoint();
  return endpoint.known_failing || endpoint.health.open() || endpoint.upstream->probe_when_ready;
}

void Pool::probe(Connection& connection) {
  Upstream& upstream = *connection.endpoint().upstream;
  QueryShape shape;
  shape.padding_block = upstream.spec.padding ? query_padding_block : 0;
  upstream.last_probe = now_;
  upstream.probe_when_ready = false;
  ++upstream.totals.probes;
  counters_.probes.add();
  const PipelineSlotId slot = connection.send({}, probe_question_, shape, false, random_);
  probes_.push_back({{connection.id(), slot}, now_});
}

// Upstreams that work, whose latency is known, and that others of their group are preferred to.
std::vector<Upstream*> Pool::unexplored() {
  std::vector<Upstream*> found;
  for (const Group& group : groups_) {
    if (group.selection != Selection::fastest || group.count < 2) continue;
    for (std::uint32_t place = group.first; place < group.first + group.count; ++place) {
      Upstream& upstream = *upstreams_[place];
      const bool unheard = now_ - upstream.expected.last_sample() >= explore_interval;
      const bool waits = now_ - upstream.last_probe < explore_interval;
      if (unheard && !waits && !avoided(upstream)) found.push_back(&upstream);
    }
  }
  return found;
}

// --- idle connections ---------------------------------------------------------------------------

// A connection closed in order. Whoever asked a moment ago will ask again.
void Pool::keep_warm(Endpoint& endpoint) {
  Upstream& upstream = *endpoint.upstream;
  const bool wanted = now_ - upstream.last_query < upstream.spec.keep_warm;
  const bool works = !endpoint.known_failing && !endpoint.backoff->snapshot().failing();
  if (!wanted || !works || upstream.connection_count() > 0) return;
  if (endpoint.reopened >= reopened_max) return;
  ++endpoint.reopened;
  open(endpoint);
}

// --- the network --------------------------------------------------------------------------------

void Pool::on_network_change() {
  for (const auto& upstream : upstreams_) {
    for (const auto& endpoint : upstream->endpoints) {
      std::string path = opener_.path_to(endpoint->spec);
      if (path == endpoint->path) continue;
      endpoint->path = std::move(path);
      report(UpstreamEvent::Kind::moved, *endpoint, endpoint->path);
      retire_connections(*endpoint);
      if (!endpoint->path.empty()) forget_path(*endpoint);
    }
  }
  events_->on_change();
}

// What was learned of the old path says nothing of the new one.
void Pool::forget_path(Endpoint& endpoint) {
  endpoint.backoff->on_answer();
  endpoint.health.reset();
  endpoint.idle_limit = {};
  endpoint.edns = {};
  endpoint.in_flight_max = pipeline_queries_max;
  endpoint.answer_limit = {};
  endpoint.silences = 0;
  endpoint.upstream->expected = {};
  endpoint.last_begun = now_ - retry_interval_max;
  outage_retry_due_ = now_;
}

// What they carry goes elsewhere at once.
void Pool::retire_connections(Endpoint& endpoint) {
  const std::size_t count = endpoint.connections.size();  // what closes may be opened anew behind
  for (std::size_t at = 0; at < count; ++at) {
    endpoint.connections[at]->leave_path();
  }
}

void Pool::on_clock_change() {
  for_each_endpoint([this](Endpoint& endpoint) {
    if (endpoint.backoff->snapshot().last_failure() != FailureKind::authentication) return;
    endpoint.backoff->on_answer();
    endpoint.last_begun = now_ - retry_interval_max;
    outage_retry_due_ = now_;
  });
  events_->on_change();
}

}  // namespace sotto
