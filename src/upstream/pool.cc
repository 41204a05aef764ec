#include "upstream/pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sotto {
namespace {

std::size_t connection_count(const Upstream& upstream) {
  std::size_t count = 0;
  for (const auto& endpoint : upstream.endpoints) {
    for (const auto& connection : endpoint->connections) {
      if (connection->state() != Connection::State::closed) ++count;
    }
  }
  return count;
}

bool has_opening(const Endpoint& endpoint) {
  return std::any_of(endpoint.connections.begin(), endpoint.connections.end(),
                     [](const auto& connection) { return connection->opening(); });
}

}  // namespace

Pool::Pool(LinkOpener& opener, BackoffRegistry& backoffs, UpstreamObserver& observer,
           UpstreamCounters& counters, Random& random, const Instant& clock_now)
    : opener_(opener),
      backoffs_(backoffs),
      observer_(observer),
      counters_(counters),
      random_(random),
      now_(clock_now) {
  departed_.spec.name = "removed upstream";
}

Pool::~Pool() = default;

template <class Callback>
void Pool::for_each_endpoint(Callback callback) const {
  for (const auto& upstream : upstreams_) {
    for (const auto& endpoint : upstream->endpoints) callback(*endpoint);
  }
  for (const auto& endpoint : departed_.endpoints) callback(*endpoint);
}

template <class Callback>
void Pool::for_each_connection(Callback callback) const {
  for_each_endpoint([&](const Endpoint& endpoint) {
    // By index: a callback may close a connection, which leaves it in place until bury().
    for (std::size_t at = 0; at < endpoint.connections.size(); ++at) {
      callback(*endpoint.connections[at]);
    }
  });
}

// --- choosing -----------------------------------------------------------------------------------

bool Pool::young(const Connection& connection) const {
  return connection.opening() && now_ - connection.began() < connect_patience;
}

// on_probation: an endpoint that failed and has not answered since gets one query at a time.
Connection* Pool::usable_connection(Upstream& upstream, bool on_probation) const {
  for (const auto& endpoint : upstream.endpoints) {
    const bool unproven = on_probation && endpoint->known_failing;
    for (const auto& connection : endpoint->connections) {
      const std::size_t room =
          unproven && connection->answered() == 0 ? std::size_t{1} : endpoint->in_flight_max;
      if (connection->usable(room)) return connection.get();
    }
  }
  return nullptr;
}

Pool::Pick Pool::pick(const Exchange& exchange, bool fresh, std::size_t waiting) {
  bool constrained = false;
  bool may_ask_any = false;
  Connection* unproven = nullptr;  // better than waiting, if nobody else has a connection
  for (const auto& upstream : upstreams_) {
    if (!exchange.may_ask(upstream->id)) {
      constrained = true;
      continue;
    }
    may_ask_any = true;
    if (Connection* connection = usable_connection(*upstream, true)) {
      return {Pick::Verdict::use, connection};
    }
    if (unproven == nullptr) unproven = usable_connection(*upstream, false);
    if (unproven == nullptr && expect_soon(*upstream, fresh, waiting)) {
      return {Pick::Verdict::wait, nullptr, true, constrained};
    }
  }
  if (unproven != nullptr) return {Pick::Verdict::use, unproven};
  return {may_ask_any ? Pick::Verdict::wait : Pick::Verdict::exhausted, nullptr, false,
          constrained};
}

// Will this upstream have a usable connection within connect_patience, as far as one can know?
// Opens what is needed for that; opens endpoints that failed before only as probes nobody waits
// for.
bool Pool::expect_soon(Upstream& upstream, bool fresh, std::size_t waiting) {
  std::size_t room_soon = 0;
  for (const auto& endpoint : upstream.endpoints) {
    for (const auto& connection : endpoint->connections) {
      if (young(*connection)) room_soon += endpoint->in_flight_max;
    }
  }
  if (room_soon > waiting) return true;
  if (connection_count(upstream) >= connections_per_upstream_max && room_soon == 0) {
    make_room(upstream);
  }
  const bool may_open = connection_count(upstream) < connections_per_upstream_max;
  for (const auto& endpoint : upstream.endpoints) {
    if (!may_open || endpoint->backoff->snapshot().failing()) continue;
    // One that has been connecting for too long is left alone; its neighbour gets a chance.
    if (has_opening(*endpoint) && room_soon == 0) continue;
    open(*endpoint);
    return true;
  }
  for (const auto& endpoint : upstream.endpoints) {
    if (connection_count(upstream) >= connections_per_upstream_max) break;
    if (has_opening(*endpoint) || !endpoint->backoff->snapshot().failing()) continue;
    if (endpoint->backoff->begin_attempt(now_, fresh, random_)) open(*endpoint);
  }
  return room_soon > 0;
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

bool Pool::usable() const {
  for (const auto& upstream : upstreams_) {
    if (usable_connection(*upstream, false) != nullptr) return true;
    for (const auto& endpoint : upstream->endpoints) {
      if (!endpoint->backoff->snapshot().failing()) return true;
    }
  }
  return false;
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
    for (const auto& endpoint : upstream->endpoints) {
      if (has_opening(*endpoint)) return false;
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
  auto connection =
      std::make_unique<Connection>(id, endpoint, *this, now_, endpoint.upstream->spec.idle_timeout);
  places_.at(id).connection = connection.get();
  endpoint.connections.push_back(std::move(connection));
  counters_.connections.add();
  endpoint.connections.back()->open(opener_, endpoint.spec.identity, endpoint.spec.trust);
}

Connection* Pool::find(ConnectionId id) {
  const ConnectionPlace* place = places_.find(id);
  return place != nullptr ? place->connection : nullptr;
}

void Pool::abandon(const AttemptId& attempt) {
  Connection* connection = find(attempt.connection);
  if (connection != nullptr && connection->abandon(attempt.slot)) counters_.abandoned.add();
}

void Pool::note_no_edns(Connection& connection) {
  Upstream& upstream = *connection.endpoint().upstream;
  if (now_ < upstream.without_edns_until) return;
  upstream.without_edns_until = now_ + no_edns_memory;
  report(UpstreamEvent::Kind::no_edns, connection.endpoint());
}

// --- what connections report --------------------------------------------------------------------

void Pool::on_ready(Connection& connection, const LinkReady& ready) {
  counters_.handshakes.add();
  if (ready.resumed) counters_.resumed.add();
  report(UpstreamEvent::Kind::connected, connection.endpoint(), ready.description);
  events_->on_change();
}

void Pool::on_match(Connection& connection, const Pipeline::Match& match,
                    std::span<const std::uint8_t> message) {
  switch (match.verdict) {
    case Pipeline::Verdict::matched:
    case Pipeline::Verdict::formerr:
      counters_.answered.add();
      note_answer(connection, match);
      break;
    case Pipeline::Verdict::late:
      counters_.late.add();
      note_answer(connection, match);
      return;
    case Pipeline::Verdict::mismatched:
      counters_.mismatched.add();
      report(UpstreamEvent::Kind::discarded, connection.endpoint(),
             "an answer to another question came under this query's ID");
      break;
    case Pipeline::Verdict::unasked:
      counters_.unasked.add();
      report(UpstreamEvent::Kind::discarded, connection.endpoint(), "an answer nobody asked for");
      return;
  }
  events_->on_response(connection, match, message);
}

void Pool::note_answer(Connection& connection, const Pipeline::Match& match) {
  Endpoint& endpoint = connection.endpoint();
  endpoint.last_answer = now_;
  if (connection.answered() == 1 || endpoint.known_failing) endpoint.backoff->on_answer();
  if (endpoint.known_failing) {
    const bool first_of_all = all_known_failing();
    endpoint.known_failing = false;
    report(UpstreamEvent::Kind::recovered, endpoint);
    events_->on_change();  // it is no longer on probation
    if (first_of_all) events_->on_upstreams_back();
  }
  if (connection.heard_in_time()) endpoint.upstream->latency.add(now_ - match.sent);
  if (connection.answered() > endpoint.in_flight_max) {
    endpoint.in_flight_max = std::min<std::size_t>(connection.answered(), pipeline_queries_max);
  }
}

void Pool::on_suspect(Connection& connection) {
  counters_.suspected.add();
  report(UpstreamEvent::Kind::suspect, connection.endpoint());
  // A connection that never answered says that this endpoint does not work just now, unless all it
  // was asked is what had been slow elsewhere.
  if (connection.answered() == 0 && connection.asked_anew()) {
    note_failure(connection.endpoint(), FailureKind::transport, "connected, but does not answer");
  }
  for (const ExchangeId exchange : connection.waiting()) events_->on_suspect(connection, exchange);
  events_->on_change();
}

void Pool::on_unsuspected(Connection& connection) {
  report(UpstreamEvent::Kind::unsuspected, connection.endpoint());
  for (const ExchangeId exchange : connection.waiting()) {
    events_->on_unsuspected(connection, exchange);
  }
  events_->on_change();
}

void Pool::on_closed(Connection& connection, const LinkClosed& closed) {
  Endpoint& endpoint = connection.endpoint();
  const bool useful = connection.answered() > 0;
  const std::vector<ExchangeId> lost = connection.waiting();
  counters_.lost.add(lost.size());
  // Closed at once, whether or not there was time to ask something: not to be opened in a circle.
  const bool turned_away = closed.by_peer && closed.kind == FailureKind::none &&
                           (!lost.empty() || now_ - connection.began() < backoff_max);
  // What a younger connection has proven since is not undone by the end of an old one.
  const bool says_something = !useful && endpoint.last_answer < connection.began();
  if (says_something && closed.kind != FailureKind::none) {
    note_failure(endpoint, closed.kind, closed.reason);
  } else if (says_something && turned_away) {
    note_failure(endpoint, FailureKind::transport, "closed the connection without an answer");
  } else {
    report(UpstreamEvent::Kind::closed, endpoint, closed.reason);
  }
  // What is in flight from now on is what this server has shown to answer per connection. A single
  // loss is a race with an idle server's close and teaches nothing.
  if (useful && closed.by_peer && lost.size() > 1) {
    endpoint.in_flight_max = std::min<std::size_t>(endpoint.in_flight_max, connection.answered());
  }
  something_closed_ = true;
  for (const ExchangeId exchange : lost) events_->on_lost(connection, exchange, useful);
  events_->on_change();
}

void Pool::note_failure(Endpoint& endpoint, FailureKind kind, std::string_view reason) {
  endpoint.backoff->on_failure(now_, kind, random_);
  (kind == FailureKind::authentication ? counters_.failed_authentication
                                       : counters_.failed_transport)
      .add();
  report(UpstreamEvent::Kind::failed, endpoint, reason, kind);
  endpoint.known_failing = true;
}

void Pool::report(UpstreamEvent::Kind kind, const Endpoint& endpoint, std::string_view detail,
                  FailureKind failure) {
  observer_.on_upstream_event({kind, *endpoint.upstream, endpoint, failure, detail});
}

// --- turns and time -----------------------------------------------------------------------------

void Pool::flush() {
  for_each_connection([](Connection& connection) { connection.flush(); });
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
  for_each_connection([](Connection& connection) { connection.close(); });
}

Instant Pool::next_deadline(bool exchanges_wait) const {
  Instant deadline = never;
  for_each_endpoint([&](const Endpoint& endpoint) {
    const Duration suspicion_after = endpoint.upstream->latency.suspicion_after();
    for (const auto& connection : endpoint.connections) {
      deadline = std::min(deadline, connection->next_deadline(suspicion_after));
      if (exchanges_wait && young(*connection)) {
        deadline = std::min(deadline, connection->began() + connect_patience);
      }
    }
    if (exchanges_wait && !has_opening(endpoint)) {
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
    connection.on_deadline(connection.endpoint().upstream->latency.suspicion_after());
  });
}

// --- configuration ------------------------------------------------------------------------------

void Pool::apply(std::vector<UpstreamSpec> specs) {
  std::vector<std::unique_ptr<Upstream>> old = std::exchange(upstreams_, {});
  for (UpstreamSpec& spec : specs) upstreams_.push_back(adopt(std::move(spec), old));
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
    if (!same || taken) continue;
    upstream->id = before->id;
    upstream->latency = before->latency;
    upstream->without_edns_until = before->without_edns_until;
    break;
  }
  if (upstream->id == 0) upstream->id = next_upstream_id_++;
  for (const EndpointSpec& endpoint : spec.endpoints) {
    upstream->endpoints.push_back(adopt_endpoint(endpoint, *upstream, old));
  }
  upstream->spec = std::move(spec);
  return upstream;
}

std::unique_ptr<Endpoint> Pool::adopt_endpoint(const EndpointSpec& spec, Upstream& upstream,
                                               std::vector<std::unique_ptr<Upstream>>& old) {
  for (const auto& before : old) {
    for (auto& endpoint : before->endpoints) {
      if (!endpoint || endpoint->spec != spec) continue;
      endpoint->upstream = &upstream;
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
