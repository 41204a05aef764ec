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

Exchanges::Exchanges(Pool& pool, const Instant& clock_now) : pool_(pool), now_(clock_now) {
  pool_.set_events(*this);
}

void Exchanges::set_timeout(Duration timeout) {
  timeout_ = timeout;
  for (Exchange* at = by_age_.front(); at != nullptr; at = ByAge::next(*at)) {
    at->deadline = std::min(at->deadline, now_ + timeout);
  }
}

void Exchanges::on_slept(Duration time) {
  for (Exchange* at = by_age_.front(); at != nullptr; at = ByAge::next(*at)) {
    at->deadline = std::min(at->deadline + time, now_ + timeout_);
  }
}

ExchangeId Exchanges::start(const Question& question, std::uint64_t token, ExchangeId behind) {
  const ExchangeId id = exchanges_.insert();
  Exchange& exchange = exchanges_.at(id);
  exchange.id = id;
  exchange.question = question;
  exchange.token = token;
  exchange.deadline = now_ + timeout_;
  exchange.counted_since = now_;
  by_age_.push_back(exchange);
  if (Exchange* other = exchanges_.find(behind)) {
    Exchange* leader = other->leader ? exchanges_.find(other->leader) : other;
    follow(exchange, leader != nullptr ? *leader : *other);
    return id;
  }
  hedge_budget_.earn(pool_.hedge_percent());
  explore_budget_.earn(explore_percent);
  // Nobody is overtaken: whoever waits longer is served first.
  if (!waiting_.empty() || try_to_send(exchange) != Sending::sent) {
    waiting_.push_back(exchange);
    look_again_ = true;
  }
  return id;
}

bool Exchanges::cancel(ExchangeId id) {
  Exchange& exchange = exchanges_.at(id);
  if (hand_over(exchange) != nullptr) {
    retire(exchange);
    return true;
  }
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
  if (!std::exchange(exchange.cancelled, false)) return;
  exchange.deadline = now_ + timeout_;
  by_age_.remove(exchange);
  by_age_.push_back(exchange);
  ask_again(exchange);
}

// Does not end the exchange from inside start(): its caller does not know the id yet.
Exchanges::Sending Exchanges::try_to_send(Exchange& exchange) {
  if (exchange.sends == sends_max) return Sending::exhausted;
  const Pool::Pick pick =
      pool_.pick(exchange, std::exchange(exchange.fresh, false), waiting_.size());
  switch (pick.verdict) {
    case Pool::Pick::Verdict::use:
      send(exchange, *pick.connection,
           exchange.sends == 0 ? Pool::Sending::first : Pool::Sending::again);
      if (exchange.sends == 1) race(exchange);
      return Sending::sent;
    case Pool::Pick::Verdict::wait:
      // An answer in hand, if a bad one, is better than waiting for an upstream that is not there.
      if (exchange.bad_answer && !pick.hopeful && !owed(exchange)) {
        return Sending::not_worth_waiting;
      }
      return pick.constrained ? Sending::waits_constrained : Sending::waits;
    case Pool::Pick::Verdict::exhausted:
      return Sending::exhausted;
  }
  return Sending::waits;
}

// Was somebody asked who may well answer yet?
bool Exchanges::owed(const Exchange& exchange) const {
  return exchange.has(Attempt::State::suspect) && now_ - exchange.asked < lost_after;
}

void Exchanges::send(Exchange& exchange, Connection& connection, Pool::Sending sending) {
  assert(exchange.sends < sends_max);
  const Upstream& upstream = *connection.endpoint().upstream;
  QueryShape shape;
  shape.edns = exchange.without_edns_for != upstream.id && connection.endpoint().edns.asked_with();
  shape.padding_block = upstream.spec.padding ? query_padding_block : 0;
  const bool anew = sending == Pool::Sending::first;
  pool_.count_sent(connection, sending);
  exchange.last_sent = now_;
  if (anew) {
    exchange.asked = now_;
    lateness_.add(exchange, upstream.id);
  }
  Attempt& attempt = exchange.attempts[exchange.sends++];
  attempt.id.connection = connection.id();
  attempt.id.slot = pool_.send(connection, exchange.id, exchange.question, shape, anew);
  attempt.upstream = upstream.id;
  attempt.sent = now_;
  attempt.state = Attempt::State::active;
  attempt.excused = attempt.wrong = attempt.refused = false;
  attempt.edns = shape.edns;
}

// Where all are asked, all others that have a connection are asked now.
void Exchanges::race(Exchange& exchange) {
  const Upstream* first = pool_.find_upstream(exchange.tried().front().upstream);
  if (first == nullptr || pool_.selection_of(*first) != Selection::all) return;
  while (exchange.sends < race_max) {
    Connection* another = pool_.pick_another(exchange);
    if (another == nullptr) return;
    send(exchange, *another, Pool::Sending::hedge);
  }
}

// --- waiting ------------------------------------------------------------------------------------

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
  if (!by_age_.empty()) pool_.explore([this] { return explore_budget_.take(); });
  // Twice: what is served may change the pool (a full connection lets another one open).
  for (int round = 0; round < 2 && look_again_; ++round) serve_waiting();
  look_again_ = false;
  pool_.flush();
}

Instant Exchanges::next_deadline() const {
  const Instant deadline = pool_.next_deadline(!waiting_.empty() || !constrained_.empty());
  Instant late = never;
  lateness_.for_each_front([&](std::uint32_t upstream, const Exchange& oldest) {
    late = std::min(late, oldest.asked + patience_with(upstream));
  });
  if (const Exchange* next = lateness_.next_lost()) late = std::min(late, next->lost_at);
  if (by_age_.empty()) return deadline;
  return std::min({deadline, late, by_age_.front()->deadline});
}

void Exchanges::on_deadline() {
  pool_.on_deadline();
  hedge_late_ones();
  ask_lost_ones_again();
  while (!by_age_.empty() && by_age_.front()->deadline <= now_) {
    expire(*by_age_.front());
  }
  on_change();
}

void Exchanges::give_up_all() {
  while (Exchange* exchange = by_age_.front()) give_up(*exchange, unanswered);
}

// --- several exchanges of one question ----------------------------------------------------------

// It waits for what the other one was sent for.
void Exchanges::follow(Exchange& exchange, Exchange& leader) {
  exchange.leader = leader.id;
  leader.followers.push_back(exchange.id);
  if (!std::exchange(leader.cancelled, false)) return;
  ask_again(leader);
}

// The first that follows it takes over what was sent, as the server still owes an answer to it, and
// those behind. Null if there is nobody.
Exchange* Exchanges::hand_over(Exchange& from) {
  const std::vector<ExchangeId> followers = std::move(from.followers);
  Exchange* heir = nullptr;
  for (const ExchangeId id : followers) {
    Exchange* follower = exchanges_.find(id);
    if (follower == nullptr) continue;
    if (heir == nullptr) {
      heir = follower;
      heir->leader = {};
    } else {
      follower->leader = heir->id;
      heir->followers.push_back(id);
    }
  }
  if (heir == nullptr) return nullptr;
  heir->attempts = from.attempts;
  heir->sends = std::exchange(from.sends, std::uint8_t{0});
  heir->without_edns_for = from.without_edns_for;
  heir->answered_badly_by = from.answered_badly_by;
  if (from.bad_answer) heir->bad_answer = std::make_unique<Answer>(*from.bad_answer);
  heir->hedged = from.hedged;
  heir->asked = from.asked;
  heir->last_sent = from.last_sent;
  heir->counted_since = from.counted_since;
  heir->failed_at = from.failed_at;
  for (const Attempt& attempt : heir->tried()) {
    if (attempt.state != Attempt::State::over) pool_.reassign(attempt.id, heir->id);
  }
  lateness_.remove(from);
  if (heir->sends > 0) lateness_.add_lost(*heir, now_);
  stop_waiting(from);
  ask_again(*heir);
  return heir;
}

// Its time is over; others of its question may have some left.
void Exchanges::expire(Exchange& exchange) {
  const Exchange* leader = exchange.leader ? exchanges_.find(exchange.leader) : nullptr;
  const bool sent = exchange.sends > 0 || (leader != nullptr && leader->sends > 0);
  const bool asked_in_time = sent && !exchange.cancelled;
  // A whole timeout's worth of sends has come to nothing.
  const bool failed = now_ - exchange.counted_since >= timeout_;
  Exchange* heir = hand_over(exchange);
  if (heir != nullptr && failed) heir->failed_at = now_;
  give_up(exchange, asked_in_time ? unanswered : unreachable);
}

void Exchanges::give_up(Exchange& exchange, const ExchangeFailure& failure) {
  if (exchange.bad_answer) {
    const std::unique_ptr<Answer> answer = std::move(exchange.bad_answer);
    finish(exchange, *answer);
    return;
  }
  const std::uint64_t token = exchange.token;
  const Question question = exchange.question;
  const std::vector<ExchangeId> followers = std::move(exchange.followers);
  retire(exchange);
  events_->on_failure(token, question, failure);
  for (const ExchangeId id : followers) {
    if (Exchange* follower = exchanges_.find(id)) give_up(*follower, failure);
  }
}

void Exchanges::finish(Exchange& exchange, Answer& answer) {
  const std::uint64_t token = exchange.token;
  const Question question = exchange.question;
  const std::vector<ExchangeId> followers = std::move(exchange.followers);
  retire(exchange);
  if (followers.empty()) return events_->on_answer(token, question, answer);
  const Answer said = answer;  // whoever gets it may change it
  events_->on_answer(token, question, answer);
  for (const ExchangeId id : followers) {
    Exchange* follower = exchanges_.find(id);
    if (follower == nullptr) continue;
    Answer copy = said;
    finish(*follower, copy);
  }
}

void Exchanges::retire(Exchange& exchange) {
  for (const Attempt& attempt : exchange.tried()) {
    if (attempt.state != Attempt::State::over) pool_.abandon(attempt.id);
  }
  stop_waiting(exchange);
  lateness_.remove(exchange);
  by_age_.remove(exchange);
  exchanges_.erase(exchange.id);
}

}  // namespace sotto
