#include "upstream/pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sotto {

Pool::Pool(LinkOpener& opener, BackoffRegistry& backoffs, UpstreamObserver& observer,
           UpstreamCounters& counters, Random& random, const Instant& clock_now)
    : opener_(opener),
      backoffs_(backoffs),
      observer_(observer),
      counters_(counters),
      random_(random),
      now_(clock_now) {
  departed_.id = UINT32_MAX;  // 0 means none
  departed_.spec.name = "removed upstream";
}

Pool::~Pool() = default;

bool Pool::young(const Connection& connection) const {
  return connection.opening() && now_ - connection.began() < connect_patience;
}

// None of its endpoints serves well just now.
bool Pool::avoided(const Upstream& upstream) const {
  return std::all_of(
      upstream.endpoints.begin(), upstream.endpoints.end(),
      [](const auto& endpoint) { return endpoint->known_failing || endpoint->health.open(); });
}

Candidate Pool::candidate_of(std::uint32_t place) const {
  const Upstream& upstream = *upstreams_[place];
  Candidate candidate{.place = place,
                      .name_hash = upstream.name_hash,
                      .avoided = avoided(upstream),
                      .expected = upstream.expected.value(),
                      .in_flight = 0};
  for (const auto& endpoint : upstream.endpoints) {
    for (const auto& connection : endpoint->connections) {
      candidate.in_flight += connection->outstanding();
    }
  }
  return candidate;
}

// Whoever let this query down comes after those that had no chance yet.
void Pool::rank_group(const Group& group, const Exchange& exchange) {
  ranked_.clear();
  for (std::uint32_t place = group.first; place < group.first + group.count; ++place) {
    ranked_.push_back(candidate_of(place));
    Candidate& candidate = ranked_.back();
    const bool let_down = exchange.sends > 1 && exchange.asked_at(upstreams_[place]->id);
    candidate.avoided = candidate.avoided || let_down;
  }
  if (ranked_.size() > 1) rank(group.selection, exchange.question, random_, ranked_);
}

// on_probation: an endpoint that failed and has not answered since, or answers badly, gets one
// query at a time, and only if it has to be. Where one connection fell silent the next one may have
// been already, unnoticed: what is asked again takes the one that is least likely to.
Connection* Pool::usable_connection(const Upstream& upstream, bool on_probation,
                                    const Exchange* exchange) const {
  const bool again = exchange != nullptr && exchange->sends > 0;
  Connection* least_silent = nullptr;
  for (const auto& endpoint : upstream.endpoints) {
    if (on_probation && endpoint->health.open()) continue;
    const bool unproven = on_probation && endpoint->known_failing;
    for (const auto& connection : endpoint->connections) {
      const std::size_t room =
          unproven && connection->answered() == 0 ? std::size_t{1} : endpoint->in_flight_max;
      if (!connection->usable(room) || spent(*connection)) continue;
      if (!again) return connection.get();
      if (!may_carry(*connection, *exchange)) continue;
      if (least_silent == nullptr || connection->silent_for() < least_silent->silent_for()) {
        least_silent = connection.get();
      }
    }
  }
  return least_silent;
}

// The last send of an exchange goes over a connection that has shown signs of life since the first,
// and is not for finding out whether a server answers again; a probe does that.
bool Pool::may_carry(const Connection& connection, const Exchange& exchange) const {
  const Endpoint& endpoint = connection.endpoint();
  const Instant alive_since = exchange.alive_since(endpoint.upstream->id);
  if (alive_since == Instant{}) return true;
  return connection.last_heard() >= alive_since &&
         (connection.answered() > 0 || !endpoint.turns_away());
}

// There is a connection that waits for its first answer, to a query of our own: no other one would
// know sooner.
bool Pool::awaits_probe(const Endpoint& endpoint) {
  return endpoint.turns_away() &&
         std::any_of(endpoint.connections.begin(), endpoint.connections.end(),
                     [](const auto& one) { return one->usable() && one->answered() == 0; });
}

// What an upstream said keeps its question within its group: others answer by another policy.
bool Pool::may_ask_group(const Group& group, const Exchange& exchange) const {
  if (exchange.answered_badly_by == 0) return true;
  if (find_upstream(exchange.answered_badly_by) == nullptr) return true;  // not configured any more
  for (std::uint32_t place = group.first; place < group.first + group.count; ++place) {
    if (upstreams_[place]->id == exchange.answered_badly_by) return true;
  }
  return false;
}

// The first upstream in rank that has a connection, or will soon. Where any will do, a later one
// with a connection is better than an earlier one to wait for; where the order is what was asked
// for, it is not.
Pool::Offer Pool::offer_of(const Group& group, const Exchange& exchange, std::size_t waiting) {
  const bool any_will_do = takes_any(group);
  rank_group(group, exchange);
  Offer offer;
  for (const Candidate& candidate : ranked_) {
    Upstream& upstream = *upstreams_[candidate.place];
    if (!exchange.may_ask(upstream.id)) {
      offer.constrained = true;
      continue;
    }
    offer.may_ask_any = true;
    offer.opening = offer.opening || (!candidate.avoided && upstream.opening());
    offer.constrained = offer.constrained || exchange.alive_since(upstream.id) != Instant{};
    offer.proven = usable_connection(upstream, true, &exchange);
    if (offer.proven != nullptr) return offer;
    if (offer.unproven == nullptr) {
      offer.unproven = usable_connection(upstream, false, &exchange);
    }
    if (offer.soon || (offer.unproven != nullptr && !any_will_do)) continue;
    offer.soon = expect_soon(upstream, waiting);
    if (offer.soon && !any_will_do) return offer;
  }
  return offer;
}

Pool::Pick Pool::pick(const Exchange& exchange, bool fresh, std::size_t waiting) {
  last_query_ = now_;
  const Pick pick = pick_from_groups(exchange, waiting);
  if (pick.verdict == Pick::Verdict::wait && !pick.hopeful) try_failing(exchange, fresh);
  return pick;
}

Pool::Pick Pool::pick_from_groups(const Exchange& exchange, std::size_t waiting) {
  bool constrained = false;
  bool may_ask_any = upstreams_.empty();
  bool opening = false;
  Connection* unproven = nullptr;
  for (const Group& group : groups_) {
    if (!may_ask_group(group, exchange)) {
      constrained = true;
      continue;
    }
    const Offer offer = offer_of(group, exchange, waiting);
    constrained = constrained || offer.constrained;
    may_ask_any = may_ask_any || offer.may_ask_any;
    if (offer.proven != nullptr) return {Pick::Verdict::use, offer.proven};
    if (unproven == nullptr) unproven = offer.unproven;
    opening = opening || offer.opening;
    if (offer.soon && unproven == nullptr) {
      return {Pick::Verdict::wait, nullptr, true, constrained};
    }
  }
  if (unproven != nullptr) return {Pick::Verdict::use, unproven};
  return {may_ask_any ? Pick::Verdict::wait : Pick::Verdict::exhausted, nullptr, opening,
          constrained};
}

Connection* Pool::pick_another(const Exchange& exchange) {
  const Upstream* asked = find_upstream(exchange.tried().front().upstream);
  if (asked == nullptr) return nullptr;
  rank_group(groups_[asked->group], exchange);
  for (const Candidate& candidate : ranked_) {
    const Upstream& upstream = *upstreams_[candidate.place];
    if (candidate.avoided || exchange.asked_at(upstream.id)) continue;
    if (Connection* connection = usable_connection(upstream, true)) return connection;
    expect_soon(*upstreams_[candidate.place], 0);
  }
  return nullptr;
}

Connection* Pool::pick_for_late(const Exchange& exchange) {
  const Attempt& first = exchange.tried().front();
  if (hedges_elsewhere(first.upstream)) return pick_another(exchange);
  if (!exchange.may_ask(first.upstream)) return nullptr;
  const Connection* silent = find(first.id.connection);
  if (silent == nullptr || !silent->silent_since(exchange.asked)) return nullptr;
  // A slow answer among others is the question's fault; silence may be the path's.
  Endpoint& endpoint = silent->endpoint();
  if (endpoint.upstream == &departed_) return nullptr;
  Connection* best = nullptr;
  for (const auto& connection : endpoint.connections) {
    const bool other = connection.get() != silent && !connection->silent_since(exchange.asked);
    if (!other || !connection->usable(endpoint.in_flight_max) || spent(*connection)) continue;
    if (!may_carry(*connection, exchange)) continue;
    if (best == nullptr || connection->silent_for() < best->silent_for()) best = connection.get();
  }
  if (best != nullptr) return best;
  const Upstream& upstream = *endpoint.upstream;
  const bool works = !endpoint.known_failing && !endpoint.backoff->snapshot().failing();
  if (works && !endpoint.opening() && upstream.connection_count() < connections_per_upstream_max) {
    open(endpoint);  // for the next one
  }
  return nullptr;
}

const Upstream* Pool::find_upstream(std::uint32_t id) const {
  for (const auto& upstream : upstreams_) {
    if (upstream->id == id) return upstream.get();
  }
  return nullptr;
}

// Whoever asked for an order, or for each name to go to one upstream, did not ask for others to see
// what is late.
bool Pool::hedges_elsewhere(std::uint32_t upstream) const {
  const Upstream* known = find_upstream(upstream);
  if (known == nullptr) return false;
  const Group& group = groups_[known->group];
  return group.count > 1 && takes_any(group);
}

bool Pool::has_alternative(std::uint32_t upstream) const {
  const Upstream* known = find_upstream(upstream);
  // To one that is not configured any more, everybody is.
  return known == nullptr ? !upstreams_.empty() : groups_[known->group].count > 1;
}

// Will this upstream have a usable connection within connect_patience, as far as one can know?
// Opens what is needed for that.
bool Pool::expect_soon(Upstream& upstream, std::size_t waiting) {
  std::size_t room_soon = 0;
  for (const auto& endpoint : upstream.endpoints) {
    for (const auto& connection : endpoint->connections) {
      if (young(*connection)) room_soon += endpoint->room();
    }
  }
  if (room_soon > waiting) return true;
  if (upstream.connection_count() >= connections_per_upstream_max && room_soon == 0) {
    make_room(upstream);
  }
  const bool may_open = upstream.connection_count() < connections_per_upstream_max;
  for (const auto& endpoint : upstream.endpoints) {
    if (!may_open || endpoint->backoff->snapshot().failing() || awaits_probe(*endpoint)) continue;
    // One that has been connecting for too long is left alone; its neighbour gets a chance.
    if (endpoint->opening() && room_soon == 0) continue;
    open(*endpoint);
    return true;
  }
  return room_soon > 0;
}

// Has it been given all that its server answers on one connection? The server may close it any
// moment; one that has not done so for long enough takes more.
bool Pool::spent(const Connection& connection) const {
  return connection.sent() >= connection.endpoint().answer_limit.get() &&
         now_ < rested_at(connection);
}

Instant Pool::rested_at(const Connection& connection) const {
  const Duration rest = connection.endpoint().suspicion_after();
  return connection.last_use() + std::max(AnswerLimit::close_within, rest);
}

PipelineSlotId Pool::send(Connection& connection, ExchangeId exchange, const Question& question,
                          const QueryShape& shape, bool anew) {
  const PipelineSlotId slot = connection.send(exchange, question, shape, anew, random_);
  prepare_next(connection);
  return slot;
}

// Its server will close it soon: the next one is opened while it still serves.
void Pool::prepare_next(const Connection& connection) {
  Endpoint& endpoint = connection.endpoint();
  const AnswerLimit& limit = endpoint.answer_limit;
  const auto ends_soon = [&limit](const Connection& one) {
    return !one.untouched() && limit.nears(one.sent(), one.outstanding());
  };
  if (!ends_soon(connection) || endpoint.upstream == &departed_) return;
  for (const auto& other : endpoint.connections) {
    if (other->opening() || (other->usable() && !ends_soon(*other))) return;
  }
  const bool works = !endpoint.known_failing && !endpoint.backoff->snapshot().failing() &&
                     now_ - endpoint.last_begun >= backoff_first;
  if (works && endpoint.upstream->connection_count() < connections_per_upstream_max) {
    open(endpoint);
  }
}

// Nobody has a connection or will soon: whoever failed may be back.
void Pool::try_failing(const Exchange& exchange, bool fresh) {
  for (const auto& upstream : upstreams_) {
    if (!exchange.may_ask(upstream->id)) continue;
    for (const auto& endpoint : upstream->endpoints) {
      if (upstream->connection_count() >= connections_per_upstream_max) break;
      if (endpoint->opening() || !endpoint->backoff->snapshot().failing()) continue;
      if (awaits_probe(*endpoint)) continue;
      if (endpoint->backoff->begin_attempt(now_, fresh, random_)) open(*endpoint);
    }
  }
}

// Connections that get no queries any more must not stand in the way of one that would. What they
// still owe has been asked elsewhere, or will be.
void Pool::make_room(Upstream& upstream) {
  Connection* oldest = nullptr;
  for (const auto& endpoint : upstream.endpoints) {
    for (const auto& connection : endpoint->connections) {
      const bool given_up =
          connection->state() == Connection::State::draining ||
          (connection->state() == Connection::State::ready && connection->suspect());
      if (given_up && (oldest == nullptr || connection->began() < oldest->began())) {
        oldest = connection.get();
      }
    }
  }
  if (oldest != nullptr) oldest->close();
}

bool Pool::usable(const Upstream& upstream) const {
  return usable_connection(upstream, false) != nullptr ||
         std::any_of(upstream.endpoints.begin(), upstream.endpoints.end(),
                     [](const auto& endpoint) { return !endpoint->backoff->snapshot().failing(); });
}

bool Pool::usable() const {
  return std::any_of(upstreams_.begin(), upstreams_.end(),
                     [this](const auto& upstream) { return usable(*upstream); });
}

bool Pool::all_known_failing() const {
  return std::all_of(upstreams_.begin(), upstreams_.end(), [](const auto& upstream) {
    return std::all_of(upstream->endpoints.begin(), upstream->endpoints.end(),
                       [](const auto& endpoint) { return endpoint->known_failing; });
  });
}

bool Pool::all_failed_authentication() const {
  bool any = false;
  for (const auto& upstream : upstreams_) {
    if (upstream->endpoints.empty()) return false;
    for (const auto& endpoint : upstream->endpoints) {
      if (endpoint->opening()) return false;
      const FailureKind last = endpoint->backoff->snapshot().last_failure();
      if (last == FailureKind::no_route) continue;
      if (last != FailureKind::authentication) return false;
      any = true;
    }
  }
  return any;
}

void Pool::open(Endpoint& endpoint) {
  const ConnectionId id = places_.insert();
  Upstream& upstream = *endpoint.upstream;
  auto connection = std::make_unique<Connection>(
      id, endpoint, *this, now_, endpoint.idle_limit.apply(upstream.spec.idle_timeout, now_));
  endpoint.last_begun = now_;
  endpoint.path = opener_.path_to(endpoint.spec);
  ++upstream.totals.connections;
  places_.at(id).connection = connection.get();
  endpoint.connections.push_back(std::move(connection));
  counters_.connections.add();
  endpoint.connections.back()->open(opener_, endpoint.spec);
}

Connection* Pool::find(ConnectionId id) {
  const ConnectionPlace* place = places_.find(id);
  return place != nullptr ? place->connection : nullptr;
}

void Pool::abandon(const AttemptId& attempt) {
  Connection* connection = find(attempt.connection);
  if (connection == nullptr) return;
  Upstream& upstream = *connection->endpoint().upstream;
  if (!connection->abandon(attempt.slot)) return;
  counters_.abandoned.add();
  ++upstream.totals.abandoned;
}

void Pool::reassign(const AttemptId& attempt, ExchangeId exchange) {
  if (Connection* connection = find(attempt.connection)) {
    connection->reassign(attempt.slot, exchange);
  }
}

void Pool::count_sent(Connection& connection, Sending sending) {
  Endpoint& endpoint = connection.endpoint();
  endpoint.upstream->last_query = now_;
  endpoint.reopened = 0;
  switch (sending) {
    case Sending::first:
      counters_.sent.add();
      ++endpoint.upstream->totals.sent;
      return;
    case Sending::again:
      counters_.resent.add();
      ++endpoint.upstream->totals.resent;
      return;
    case Sending::hedge:
      counters_.hedged.add();
      ++endpoint.upstream->totals.hedged;
      return;
  }
}

void Pool::flush() {
  for_each_connection([this](Connection& connection) {
    if (wants_probe(connection)) probe(connection);
    connection.flush();
  });
  if (something_closed_) bury();
}

void Pool::bury() {
  something_closed_ = false;
  const auto bury_in = [this](Endpoint& endpoint) {
    std::erase_if(endpoint.connections, [this](const std::unique_ptr<Connection>& connection) {
      if (connection->state() != Connection::State::closed) return false;
      places_.erase(connection->id());
      return true;
    });
  };
  for (const auto& upstream : upstreams_) {
    for (const auto& endpoint : upstream->endpoints) bury_in(*endpoint);
  }
  for (const auto& endpoint : departed_.endpoints) bury_in(*endpoint);
  std::erase_if(departed_.endpoints,
                [](const auto& endpoint) { return endpoint->connections.empty(); });
}

void Pool::close_all() {
  closing_all_ = true;
  for_each_connection([](Connection& connection) { connection.close(); });
}

}  // namespace sotto
