// What a pool makes of what its connections report.
#include <algorithm>

#include "dns/answer.h"
#include "dns/wire.h"
#include "upstream/pool.h"

namespace sotto {
namespace {

FailureCause cause_of(const Connection& connection, FailureKind kind) {
  switch (kind) {
    case FailureKind::authentication:
      return FailureCause::authentication;
    case FailureKind::no_route:
      return FailureCause::no_route;
    case FailureKind::none:
      return FailureCause::closed;
    case FailureKind::transport:
      break;
  }
  switch (connection.reached()) {
    case Connection::State::connecting:
      return FailureCause::connect;
    case Connection::State::handshaking:
      return FailureCause::handshake;
    case Connection::State::ready:
    case Connection::State::draining:
    case Connection::State::closed:
      break;
  }
  return connection.suspect() ? FailureCause::silent : FailureCause::lost;
}

}  // namespace

void Pool::on_ready(Connection& connection, const LinkReady& ready) {
  Endpoint& endpoint = connection.endpoint();
  Upstream& upstream = *endpoint.upstream;
  counters_.handshakes.add();
  ++upstream.totals.handshakes;
  if (ready.resumed) {
    counters_.resumed.add();
    ++upstream.totals.resumptions;
  }
  upstream.connect.add(connection.connect_time());
  upstream.handshake.add(connection.handshake_time());
  endpoint.round_trip = connection.connect_time();
  endpoint.certificate_expires = ready.certificate_expires;
  report(UpstreamEvent::Kind::connected, endpoint, ready.description);
  events_->on_change();
}

void Pool::on_match(Connection& connection, const Pipeline::Match& match,
                    std::span<const std::uint8_t> message) {
  UpstreamTotals& totals = connection.endpoint().upstream->totals;
  switch (match.verdict) {
    case Pipeline::Verdict::matched:
    case Pipeline::Verdict::refusal:
      counters_.answered.add();
      ++totals.answered;
      note_answer(connection, match, message);
      break;
    case Pipeline::Verdict::late:
      counters_.late.add();
      ++totals.late;
      note_answer(connection, match, message);
      events_->on_change();  // there is room for one more
      return;
    case Pipeline::Verdict::mismatched:
      counters_.mismatched.add();
      ++totals.discarded;
      note_bad(connection.endpoint());
      report(UpstreamEvent::Kind::discarded, connection.endpoint(),
             "it is not the answer to the query with its ID");
      break;
    case Pipeline::Verdict::unasked:
      counters_.unasked.add();
      ++totals.discarded;
      if (!match.legible) note_bad(connection.endpoint());  // a second copy harms nobody
      report(UpstreamEvent::Kind::discarded, connection.endpoint(), "an answer nobody asked for");
      return;
  }
  if (match.exchange) {
    events_->on_response(connection, match, message);
  } else {
    note_probe_answer(connection, message);
    events_->on_change();
  }
}

// Our own queries all have OPT.
void Pool::note_probe_answer(Connection& connection, std::span<const std::uint8_t> message) {
  Answer answer;
  if (!rewrite_response(message, probe_question_, answer)) return;
  EdnsMemory& edns = connection.endpoint().edns;
  if (answer.edns) {
    edns.on_opt();
  } else if (answer.rcode != rcode::formerr) {
    edns.on_ignored();
  }
}

void Pool::note_no_edns(Connection& connection) {
  Endpoint& endpoint = connection.endpoint();
  if (endpoint.edns.on_answered_without(now_)) report(UpstreamEvent::Kind::no_edns, endpoint);
}

namespace {

// A server that fails on everything answers, too.
bool is_failure(std::span<const std::uint8_t> message) {
  const std::uint16_t code = load16(message.data() + 2) & flag::rcode_mask;
  return code == rcode::servfail || code == rcode::refused || code == rcode::notimp;
}

std::string_view name_of_failure(std::uint16_t code) {
  switch (code) {
    case rcode::formerr:
      return "FORMERR";
    case rcode::servfail:
      return "SERVFAIL";
    case rcode::notimp:
      return "NOTIMP";
    default:
      return "REFUSED";
  }
}

}  // namespace

void Pool::note_answer(Connection& connection, const Pipeline::Match& match,
                       std::span<const std::uint8_t> message) {
  Endpoint& endpoint = connection.endpoint();
  Upstream& upstream = *endpoint.upstream;
  endpoint.last_answer = upstream.last_answer = now_;
  endpoint.silences = 0;
  // What an old connection still answers does not undo that new ones fail.
  const bool news = connection.began() >= endpoint.last_failure;
  if (news && (connection.answered() == 1 || endpoint.known_failing)) endpoint.backoff->on_answer();
  if (news && endpoint.known_failing) note_recovery(endpoint);
  if (is_failure(message)) {
    ++upstream.totals.failure_answers;
  } else {
    endpoint.health.on_good();
  }
  const Duration latency = now_ - match.sent;
  if (match.exchange && latency < endpoint.suspicion_after()) {
    endpoint.prompt_since = std::max(endpoint.prompt_since, match.sent);
  }
  if (connection.heard_in_time(match.sent)) upstream.latency.add(latency);
  upstream.expected.add(latency, now_);
  upstream.wait.add(latency);
  if (endpoint.answer_limit.on_answer(connection.answered())) {
    endpoint.in_flight_max = pipeline_queries_max;
  } else if (connection.answered() > endpoint.in_flight_max) {
    endpoint.in_flight_max = std::min<std::size_t>(connection.answered(), pipeline_queries_max);
  }
}

void Pool::note_recovery(Endpoint& endpoint) {
  const bool first_of_all = all_known_failing();
  endpoint.known_failing = false;
  report(UpstreamEvent::Kind::recovered, endpoint);
  events_->on_change();  // it is no longer on probation
  if (!first_of_all) return;
  // What the others failed by was the network's fault: they are tried at once.
  for_each_endpoint([this](Endpoint& other) {
    other.backoff->on_answer();
    other.health.reset();
    other.failing_since = now_;
    other.last_begun = now_ - retry_interval_max;
  });
  events_->on_upstreams_back();
}

// An answer that is none, or that another upstream knew better.
void Pool::note_bad(Endpoint& endpoint) {
  if (endpoint.health.on_bad(now_, random_)) {
    endpoint.upstream->expected.penalize(now_);
    report(UpstreamEvent::Kind::avoided, endpoint, "too many of its recent answers were bad");
    events_->on_change();
  }
}

void Pool::note_bad_outcome(std::uint32_t upstream) {
  for (const auto& known : upstreams_) {
    if (known->id != upstream) continue;
    for (const auto& endpoint : known->endpoints) {
      if (!endpoint->connections.empty()) note_bad(*endpoint);
    }
  }
}

void Pool::note_malformed(Connection& connection) {
  counters_.malformed.add();
  ++connection.endpoint().upstream->totals.discarded;
  note_bad(connection.endpoint());
}

// … unless it has answered promptly meanwhile what was asked later: then the path is slow after
// all, and may be on two connections at once.
void Pool::note_slow(Connection& connection, Duration latency) {
  Endpoint& endpoint = connection.endpoint();
  if (endpoint.prompt_since < now_ - latency) endpoint.upstream->latency.add(latency);
}

void Pool::note_refusal(Connection& connection, std::uint16_t rcode) {
  note_bad(connection.endpoint());
  report(UpstreamEvent::Kind::refused, connection.endpoint(), name_of_failure(rcode));
}

void Pool::on_suspect(Connection& connection) {
  Endpoint& endpoint = connection.endpoint();
  counters_.suspected.add();
  ++endpoint.silences;
  endpoint.upstream->expected.penalize(now_);
  report(UpstreamEvent::Kind::suspect, endpoint);
  // A connection that never answered says that this endpoint does not work just now, unless another
  // one was answered meanwhile, or all it was asked is what had been slow elsewhere.
  const bool says_something = connection.answered() == 0 && connection.asked_anew() &&
                              endpoint.last_answer <= connection.began();
  if (says_something) {
    note_failure(endpoint, FailureCause::silent, "connected, but does not answer");
  } else {
    ++endpoint.upstream->totals.failures[static_cast<std::size_t>(FailureCause::silent)];
  }
  close_as_idle_as(connection);
  for (const ExchangeId exchange : connection.waiting()) events_->on_suspect(connection, exchange);
  prepare_spare(endpoint);
  events_->on_change();
}

// Where one connection falls silent the next one may, too. What is asked again then finds another
// that is open, if this server answers at all.
void Pool::prepare_spare(Endpoint& endpoint) {
  Upstream& upstream = *endpoint.upstream;
  if (&upstream == &departed_ || endpoint.known_failing || endpoint.opening()) return;
  if (endpoint.silences > 1) return;
  const auto usable = std::count_if(endpoint.connections.begin(), endpoint.connections.end(),
                                    [](const auto& connection) { return connection->usable(); });
  if (usable > 1) return;
  if (upstream.connection_count() >= connections_per_upstream_max) make_room(upstream);
  if (upstream.connection_count() < connections_per_upstream_max) open(endpoint);
}

// What being idle for so long did to this connection, it did to others too: a middlebox has
// forgotten them, and a query sent there would only learn it after the same silence.
void Pool::close_as_idle_as(const Connection& suspect) {
  const Duration idle = suspect.idle_before_silence();
  if (idle < idle_close_min) return;
  for (const auto& connection : suspect.endpoint().connections) {
    const bool idle_too = connection->state() == Connection::State::ready &&
                          connection->outstanding() == 0 && now_ - connection->last_use() >= idle;
    if (idle_too) connection->close();
  }
}

void Pool::on_unsuspected(Connection& connection) {
  report(UpstreamEvent::Kind::unsuspected, connection.endpoint());
  for (const ExchangeId exchange : connection.waiting()) {
    events_->on_unsuspected(connection, exchange);
  }
  events_->on_change();
}

void Pool::on_garbled(Connection& connection, const Pipeline::Garbled& garbled) {
  events_->on_garbled(connection, garbled);
}

void Pool::on_overdue(Connection& connection, ExchangeId exchange) {
  events_->on_suspect(connection, exchange);
}

void Pool::on_closed(Connection& connection, const LinkClosed& closed) {
  Endpoint& endpoint = connection.endpoint();
  const bool useful = connection.answered() > 0;
  const std::vector<ExchangeId> lost = connection.waiting();
  counters_.lost.add(lost.size());
  endpoint.upstream->totals.lost += lost.size();
  // Closed at once, whether or not there was time to ask something: not to be opened in a circle.
  const bool turned_away = closed.by_peer && closed.kind == FailureKind::none &&
                           (!lost.empty() || now_ - connection.began() < backoff_max);
  // What a younger connection has proven since is not undone by the end of an old one.
  const bool says_something = !useful && endpoint.last_answer <= connection.began();
  const FailureCause cause = cause_of(connection, closed.kind);
  if (says_something && closed.kind != FailureKind::none) {
    note_failure(endpoint, cause, closed.reason);
  } else if (says_something && connection.only_wrong_answers()) {
    note_failure(endpoint, FailureCause::garbled, "brought nothing but wrong answers");
  } else if (says_something && turned_away) {
    note_failure(endpoint, cause, "closed the connection without an answer");
  } else {
    const bool lost_one = closed.kind != FailureKind::none;
    if (lost_one) ++endpoint.upstream->totals.failures[static_cast<std::size_t>(cause)];
    report(UpstreamEvent::Kind::closed, endpoint, closed.reason);
  }
  learn_from_end(connection, closed, lost.size());
  something_closed_ = true;
  // What we closed as it was silent for too long may have been heard all the same.
  const bool excused = closed.path_gone || (connection.of_use() && closed.by_peer);
  for (const ExchangeId exchange : lost) events_->on_lost(connection, exchange, excused);
  const bool in_order = closed.kind == FailureKind::none && lost.empty();
  const bool worked = useful || (connection.never_asked() && !turned_away);
  if (in_order && worked && !closing_all_) keep_warm(endpoint);
  events_->on_change();
}

void Pool::learn_from_end(Connection& connection, const LinkClosed& closed, std::size_t lost) {
  Endpoint& endpoint = connection.endpoint();
  // What is in flight from now on is what this server has shown to answer per connection. A single
  // loss is a race with an idle server's close and teaches nothing.
  if (connection.answered() > 0 && closed.by_peer && lost > 1) {
    endpoint.in_flight_max = std::min<std::size_t>(endpoint.in_flight_max, connection.answered());
  }
  if (closed.by_peer && closed.kind == FailureKind::none) {
    const bool answered_now = now_ - connection.last_heard() < AnswerLimit::close_within;
    endpoint.answer_limit.on_closed(connection.answered(), lost > 1 || answered_now);
  }
  if (closed.by_peer && lost == 0 && connection.reached() == Connection::State::ready) {
    const Duration idle = now_ - connection.last_use();
    if (closed.kind == FailureKind::none) {
      endpoint.idle_limit.on_closed_idle(idle, now_);
    } else {
      endpoint.idle_limit.on_reset_idle(idle, now_);
    }
  } else if (connection.suspect()) {
    endpoint.idle_limit.on_silent_after(connection.idle_before_silence(), now_);
  }
}

void Pool::note_failure(Endpoint& endpoint, FailureCause cause, std::string_view reason) {
  const FailureKind kind = kind_of(cause);
  endpoint.backoff->on_failure(now_, kind, random_);
  (kind == FailureKind::authentication ? counters_.failed_authentication
                                       : counters_.failed_transport)
      .add();
  ++endpoint.upstream->totals.failures[static_cast<std::size_t>(cause)];
  report(UpstreamEvent::Kind::failed, endpoint, reason, kind);
  // Silence is undone by the same connection's answer.
  if (cause != FailureCause::silent) endpoint.last_failure = now_;
  if (!endpoint.known_failing) endpoint.failing_since = now_;
  endpoint.known_failing = true;
  endpoint.failure_reason = reason;
}

void Pool::report(UpstreamEvent::Kind kind, const Endpoint& endpoint, std::string_view detail,
                  FailureKind failure) {
  observer_.on_upstream_event({kind, *endpoint.upstream, endpoint, failure, detail});
}

}  // namespace sotto
