#include "upstream/exchanges.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sotto {
namespace {

using Cause = ExchangeFailure::Cause;
constexpr ExchangeFailure unauthenticated{Cause::unauthenticated, ede::no_reachable_authority,
                                          "no upstream could be authenticated"};
constexpr ExchangeFailure unreachable{Cause::unreachable, ede::no_reachable_authority,
                                      "no upstream could be reached"};
constexpr ExchangeFailure unanswered{Cause::unanswered, ede::network_error,
                                     "no answer from upstream in time"};
constexpr ExchangeFailure unusable{Cause::unusable, ede::network_error,
                                   "no usable answer from upstream"};

}  // namespace

Exchanges::Exchanges(Pool& pool, UpstreamCounters& counters, const Instant& clock_now)
    : pool_(pool), counters_(counters), now_(clock_now) {
  pool_.set_events(*this);
}

void Exchanges::set_timeout(Duration timeout) {
  timeout_ = timeout;
  for (Exchange* at = by_age_.front(); at != nullptr; at = ByAge::next(*at)) {
    at->deadline = std::min(at->deadline, now_ + timeout);
  }
}

ExchangeId Exchanges::start(const Question& question, std::uint64_t token) {
  const ExchangeId id = exchanges_.insert();
  Exchange& exchange = exchanges_.at(id);
  exchange.id = id;
  exchange.question = question;
  exchange.token = token;
  exchange.deadline = now_ + timeout_;
  by_age_.push_back(exchange);
  // Nobody is overtaken: whoever waits longer is served first.
  if (!waiting_.empty() || try_to_send(exchange) != Sending::sent) {
    waiting_.push_back(exchange);
    look_again_ = true;
  }
  return id;
}

bool Exchanges::cancel(ExchangeId id) {
  Exchange& exchange = exchanges_.at(id);
  stop_waiting(exchange);
  if (!exchange.has(Attempt::State::active) && !exchange.has(Attempt::State::suspect)) {
    retire(exchange);
    return true;
  }
  exchange.cancelled = true;
  return false;
}

void Exchanges::resume(ExchangeId id) {
  Exchange& exchange = exchanges_.at(id);
  if (std::exchange(exchange.cancelled, false)) ask_again(exchange);
}

// Does not end the exchange from inside start(): its caller does not know the id yet.
Exchanges::Sending Exchanges::try_to_send(Exchange& exchange) {
  if (exchange.sends == sends_max) return Sending::exhausted;
  const Pool::Pick pick =
      pool_.pick(exchange, std::exchange(exchange.fresh, false), waiting_.size());
  switch (pick.verdict) {
    case Pool::Pick::Verdict::use:
      send(exchange, *pick.connection);
      return Sending::sent;
    case Pool::Pick::Verdict::wait:
      // An answer in hand, if a bad one, is better than waiting for an upstream that is not there.
      if (exchange.bad_answer && !pick.soon) return Sending::not_worth_waiting;
      return pick.constrained ? Sending::waits_constrained : Sending::waits;
    case Pool::Pick::Verdict::exhausted:
      return Sending::exhausted;
  }
  return Sending::waits;
}

void Exchanges::send(Exchange& exchange, Connection& connection) {
  assert(exchange.sends < sends_max);
  const Upstream& upstream = *connection.endpoint().upstream;
  QueryShape shape;
  shape.edns = exchange.without_edns_for != upstream.id && now_ >= upstream.without_edns_until;
  shape.padding_block = upstream.spec.padding ? query_padding_block : 0;
  const bool anew = exchange.sends == 0;
  (anew ? counters_.sent : counters_.resent).add();
  Attempt& attempt = exchange.attempts[exchange.sends++];
  attempt.id.connection = connection.id();
  attempt.id.slot = pool_.send(connection, exchange.id, exchange.question, shape, anew);
  attempt.upstream = upstream.id;
  attempt.state = Attempt::State::active;
  attempt.charged = true;
}

// At once if there is a connection, else in front of those that have not been asked yet.
void Exchanges::ask_again(Exchange& exchange) {
  if (exchange.has(Attempt::State::active) || Waiting::contains(exchange)) return;
  if (exchange.cancelled) {
    if (!exchange.has(Attempt::State::suspect)) end_soon(exchange);
    return;
  }
  waiting_.push_front(exchange);
  exchange.in_constrained = false;
  look_again_ = true;
}

// By on_deadline(): the connection that reports is in the middle of something.
void Exchanges::end_soon(Exchange& exchange) {
  exchange.deadline = now_;
  by_age_.remove(exchange);
  by_age_.push_front(exchange);
}

void Exchanges::stop_waiting(Exchange& exchange) {
  if (!Waiting::contains(exchange)) return;
  (exchange.in_constrained ? constrained_ : waiting_).remove(exchange);
  exchange.in_constrained = false;
}

// From the front until one finds no connection although it may ask anybody: then nobody behind it
// would. What may ask only some upstreams steps aside.
void Exchanges::serve_waiting() {
  look_again_ = false;
  if (std::exchange(pool_changed_, false)) {
    while (Exchange* exchange = constrained_.front()) {
      stop_waiting(*exchange);
      waiting_.push_front(*exchange);
    }
  }
  while (Exchange* exchange = waiting_.front()) {
    if (!serve(*exchange)) break;
  }
  // An exchange that has just begun may have a connection attempted before the back-off ends.
  if (Exchange* newest = waiting_.back(); newest != nullptr && newest->fresh) serve(*newest);
  if (!waiting_.empty() && pool_.all_failed_authentication()) {
    while (Exchange* exchange = waiting_.front()) give_up(*exchange, unauthenticated);
    while (Exchange* exchange = constrained_.front()) give_up(*exchange, unauthenticated);
  }
}

// False if it stays where it is.
bool Exchanges::serve(Exchange& exchange) {
  switch (try_to_send(exchange)) {
    case Sending::sent:
      stop_waiting(exchange);
      return true;
    case Sending::exhausted:
      stop_waiting(exchange);
      if (!exchange.has(Attempt::State::suspect)) give_up(exchange, unusable);
      return true;
    case Sending::not_worth_waiting:
      give_up(exchange, unusable);
      return true;
    case Sending::waits_constrained:
      stop_waiting(exchange);
      constrained_.push_back(exchange);
      exchange.in_constrained = true;
      return true;
    case Sending::waits:
      return false;
  }
  return false;
}

void Exchanges::end_turn() {
  // Twice: what is served may change the pool (a full connection lets another one open).
  for (int round = 0; round < 2 && look_again_; ++round) serve_waiting();
  look_again_ = false;
  pool_.flush();
}

Instant Exchanges::next_deadline() const {
  const Instant deadline = pool_.next_deadline(!waiting_.empty() || !constrained_.empty());
  return by_age_.empty() ? deadline : std::min(deadline, by_age_.front()->deadline);
}

void Exchanges::on_deadline() {
  pool_.on_deadline();
  while (!by_age_.empty() && by_age_.front()->deadline <= now_) {
    Exchange& exchange = *by_age_.front();
    const bool asked_in_time = exchange.sends > 0 && !exchange.cancelled;
    give_up(exchange, asked_in_time ? unanswered : unreachable);
  }
  on_change();
}

void Exchanges::give_up_all() {
  while (Exchange* exchange = by_age_.front()) give_up(*exchange, unanswered);
}

void Exchanges::on_lost(Connection& connection, ExchangeId id, bool answered_something) {
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr) return;
  exchange->for_each_on(connection.id(), [answered_something](Attempt& attempt) {
    attempt.state = Attempt::State::over;
    if (answered_something) attempt.charged = false;
  });
  ask_again(*exchange);
}

void Exchanges::on_suspect(Connection& connection, ExchangeId id) {
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr) return;
  exchange->for_each_on(connection.id(),
                        [](Attempt& attempt) { attempt.state = Attempt::State::suspect; });
  ask_again(*exchange);
}

void Exchanges::on_unsuspected(Connection& connection, ExchangeId id) {
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr) return;
  exchange->for_each_on(connection.id(),
                        [](Attempt& attempt) { attempt.state = Attempt::State::active; });
  stop_waiting(*exchange);
}

void Exchanges::on_response(Connection& connection, const Pipeline::Match& match,
                            std::span<const std::uint8_t> message) {
  look_again_ = true;  // there is room for one more on this connection
  Exchange* found = exchanges_.find(match.exchange);
  if (found == nullptr) return;
  Exchange& exchange = *found;
  const std::uint32_t upstream = connection.endpoint().upstream->id;
  const bool mismatched = match.verdict == Pipeline::Verdict::mismatched;
  exchange.for_each_on(connection.id(), [&](Attempt& attempt) {
    if (attempt.id.slot != match.slot) return;
    attempt.state = mismatched ? Attempt::State::suspect : Attempt::State::over;
  });
  if (mismatched) {
    ask_again(exchange);
    return;
  }
  if (match.verdict == Pipeline::Verdict::formerr && exchange.without_edns_for != upstream) {
    exchange.without_edns_for = upstream;
    ask_again(exchange);
    return;
  }
  if (match.verdict == Pipeline::Verdict::formerr ||
      !rewrite_response(message, exchange.question, answer_)) {
    counters_.malformed.add();
    ask_again(exchange);
    return;
  }
  if (answer_.keepalive) connection.on_keepalive(*answer_.keepalive);
  if (ask_elsewhere_instead(exchange, upstream)) {
    ask_again(exchange);
    return;
  }
  if (exchange.without_edns_for == upstream && answer_.rcode != rcode::formerr)
    pool_.note_no_edns(connection);
  finish(exchange, answer_);
}

// FORMERR to EDNS is worth a try without; SERVFAIL and REFUSED are worth a try elsewhere.
bool Exchanges::ask_elsewhere_instead(Exchange& exchange, std::uint32_t upstream) {
  if (answer_.rcode == rcode::formerr && !answer_.edns && exchange.without_edns_for != upstream) {
    exchange.without_edns_for = upstream;
    return true;
  }
  const bool failure = answer_.rcode == rcode::servfail || answer_.rcode == rcode::refused;
  if (!failure || exchange.bad_answer || answer_.is_deliberate()) return false;
  if (pool_.upstreams().size() < 2) return false;
  exchange.answered_badly_by = upstream;
  exchange.bad_answer = std::make_unique<Answer>(answer_);
  return true;
}

void Exchanges::give_up(Exchange& exchange, const ExchangeFailure& failure) {
  if (exchange.bad_answer) {
    const std::unique_ptr<Answer> answer = std::move(exchange.bad_answer);
    finish(exchange, *answer);
    return;
  }
  const std::uint64_t token = exchange.token;
  const Question question = exchange.question;
  retire(exchange);
  events_->on_failure(token, question, failure);
}

void Exchanges::finish(Exchange& exchange, Answer& answer) {
  const std::uint64_t token = exchange.token;
  const Question question = exchange.question;
  retire(exchange);
  events_->on_answer(token, question, answer);
}

void Exchanges::retire(Exchange& exchange) {
  for (const Attempt& attempt : exchange.tried()) {
    if (attempt.state != Attempt::State::over) pool_.abandon(attempt.id);
  }
  stop_waiting(exchange);
  by_age_.remove(exchange);
  exchanges_.erase(exchange.id);
}

}  // namespace sotto
