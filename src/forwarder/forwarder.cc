#include "forwarder/forwarder.h"

#include <array>
#include <cassert>
#include <utility>

namespace sotto {
namespace {

constexpr LocalAnswer shed_answer{.rcode = rcode::servfail,
                                  .ede_code = ede::other,
                                  .ede_text = "too many queries are waiting for upstreams"};
constexpr LocalAnswer refused_answer{.rcode = rcode::refused,
                                     .ede_code = ede::prohibited,
                                     .ede_text = "this client may not ask here"};

template <class Tag>
std::uint64_t to_token(StaleId<Tag> id) {
  return (std::uint64_t{id.generation} << 32U) | id.slot;
}

template <class Tag>
StaleId<Tag> from_token(std::uint64_t token) {
  return {static_cast<std::uint32_t>(token & 0xFFFF'FFFFU),
          static_cast<std::uint32_t>(token >> 32U)};
}

LocalAnswer answer_for(Verdict verdict) {
  switch (verdict) {
    case Verdict::formerr:
      return {.rcode = rcode::formerr};
    case Verdict::notimp:
      return {.rcode = rcode::notimp};
    case Verdict::badvers:
      return {.rcode = rcode::badvers};
    case Verdict::accept:
    case Verdict::drop:
      break;
  }
  assert(false && "not a verdict that is answered here");
  return {.rcode = rcode::servfail};
}

}  // namespace

Forwarder::Forwarder(Exchanges& exchanges, Cache& cache, ForwarderCounters& counters,
                     Random& random, const Instant& clock_now)
    : exchanges_(exchanges),
      cache_(cache),
      counters_(counters),
      now_(clock_now),
      waiters_(random.next64()) {
  exchanges_.set_events(*this);
}

// Whoever configures anew wants to see what upstreams say now.
void Forwarder::apply(ForwarderPolicy policy) {
  policy_ = std::move(policy);
  refresh_budget_.set_percent(policy_.prefetch_percent);
  cache_.forget_failures();
}

void Forwarder::read(std::span<const std::uint8_t> message, Incoming& incoming) const {
  Query& query = incoming.query;
  incoming.verdict = parse_query(message, query);
  if (incoming.verdict != Verdict::accept) return;
  incoming.question.assign(query.qname, query.qtype, query.qclass,
                           {.recursion_desired = query.recursion_desired(),
                            .checking_disabled = query.checking_disabled(),
                            .dnssec_ok = query.edns.dnssec_ok});
  incoming.hash = cache_.hash(incoming.question);
}

void Forwarder::prefetch(std::span<const Incoming> batch) const {
  std::array<std::uint64_t, batch_max> hashes;
  std::size_t count = 0;
  for (const Incoming& incoming : batch) {
    if (incoming.verdict == Verdict::accept) hashes[count++] = incoming.hash;
  }
  cache_.prefetch(std::span(hashes).first(count));
}

Forwarder::Now Forwarder::answer_now(const Client& client, std::span<const std::uint8_t> message,
                                     std::span<std::uint8_t> out) {
  read(message, single_);
  return answer_now(client, single_, out);
}

Forwarder::Now Forwarder::answer_now(const Client& client, const Incoming& incoming,
                                     std::span<std::uint8_t> out) {
  counters_.queries.add();
  if (incoming.verdict == Verdict::drop) {
    counters_.dropped.add();
    return {Outcome::drop};
  }
  const Query& query = incoming.query;
  asker_.take(query);
  asker_.octets_max = response_octets_max(query.edns, client.datagram);
  asker_.padding_block = client.padding_block;
  asker_.keepalive = client.keepalive;
  if (!may_ask(client)) {
    return answer(refused_answer, out, counters_.refused);
  }
  if (incoming.verdict != Verdict::accept) {
    return answer(answer_for(incoming.verdict), out, counters_.malformed);
  }
  if (policy_.names.may_answer(query.qname)) {
    if (const auto now = answer_special(query, out)) return *now;
  }
  asked_ = &incoming;
  client_address_ = client.address;
  if (const auto now = answer_from_cache(out)) return *now;
  counters_.misses.add();
  return {Outcome::pending};
}

bool Forwarder::may_ask(const Client& client) const {
  return any_contains(policy_.allow, client.address) ||
         (policy_.allow_verified && !client.identity.empty());
}

std::optional<Forwarder::Now> Forwarder::answer_special(const Query& query,
                                                        std::span<std::uint8_t> out) {
  SpecialAnswer special;
  if (!policy_.names.answer(query.qname, query.qtype, query.qclass, special)) return std::nullopt;
  return answer(special.local(), out, counters_.local);
}

Forwarder::Now Forwarder::answer(const LocalAnswer& local, std::span<std::uint8_t> out,
                                 Counter& counter) {
  counter.add();
  return {Outcome::answered, write_local_response(local, asker_, out)};
}

// Most answers go from the cache right into the response.
std::optional<Forwarder::Now> Forwarder::answer_from_cache(std::span<std::uint8_t> out) {
  assert(out.size() >= asker_.octets_max);
  PlacedMessage placed;
  const Cache::Placing placing = cache_.place(asked_->question, asked_->hash, now_,
                                              out.first(placed_octets_max(asker_)), placed);
  if (placing == Cache::Placing::other) return answer_by_copy(out);
  stale_known_ = false;
  if (placing == Cache::Placing::absent) return std::nullopt;
  counters_.hits.add();
  const Now now{Outcome::answered, complete_response(placed, asker_, out)};
  if (placing == Cache::Placing::refresh_due) refresh_ahead();
  return now;
}

std::optional<Forwarder::Now> Forwarder::answer_by_copy(std::span<std::uint8_t> out) {
  const Cache::Found found = cache_.find(asked_->question, asked_->hash, now_, found_);
  stale_known_ = found.state == Cache::State::stale;
  switch (found.state) {
    case Cache::State::absent:
      return std::nullopt;
    case Cache::State::fresh:
      if (found.refresh_due) refresh_ahead();
      return answer_found(out);
    case Cache::State::failure:
      counters_.failures_held.add();
      return answer_found(out);
    case Cache::State::stale:
      break;
  }
  const bool worth_waiting = exchanges_.usable() && !waiters_.full_for(client_address_);
  if (found.refresh_due && worth_waiting) return std::nullopt;
  counters_.stale.add();
  if (found.refresh_due && refreshes_ < background_exchanges_max) {
    cache_.hold_refresh(asked_->question, asked_->hash, now_);
    if (find_pending() == nullptr) {
      counters_.rechecked.add();
      begin_exchange(Purpose::cache);
    }
  }
  return answer_found(out);
}

Forwarder::Now Forwarder::answer_found(std::span<std::uint8_t> out) {
  counters_.hits.add();
  return {Outcome::answered, write_response(found_, asker_, out)};
}

// Somebody still asks for what is about to run out: asked now, nobody will wait for it.
void Forwarder::refresh_ahead() {
  if (!refresh_budget_.allows_one(now_) || refreshes_ >= background_exchanges_max) return;
  if (!exchanges_.usable()) return;
  if (find_pending() != nullptr || !cache_.claim_refresh(asked_->question, asked_->hash)) return;
  refresh_budget_.spend();
  counters_.prefetched.add();
  begin_exchange(Purpose::cache);
}

void Forwarder::forward(const ReplyTo& to) {
  Pending* pending = find_pending();
  if (pending != nullptr) {
    counters_.coalesced.add();
    set_purpose(*pending, Purpose::clients);
  } else {
    counters_.forwarded.add();
    refresh_budget_.earn();
    pending = &begin_exchange(Purpose::clients);
  }
  Waiter& waiter = waiters_.add(client_address_, pending->waiting);
  waiter.remember(asker_);
  waiter.to = to;
  waiter.exchange = to_token(pending->id);
  if (stale_known_ && pending->stale_due == never) expect_stale(*pending);
  if (Waiter* surplus = waiters_.surplus()) shed(*surplus);
}

// One of those that wait has to go: with what is known, or with a failure.
void Forwarder::shed(Waiter& waiter) {
  Pending& pending = pending_.at(from_token<PendingTag>(waiter.exchange));
  Waiters::Joined alone;
  pending.waiting.remove(waiter);
  alone.push_back(waiter);
  const bool stale_known = pending.stale_due != never;
  if (!stale_known ||
      !finish_with_stale(alone, exchanges_.question(pending.exchange), pending.hash)) {
    finish(alone, counters_.shed, [](const Asker& asker, std::span<std::uint8_t> space) {
      return write_local_response(shed_answer, asker, space);
    });
  }
  if (pending.waiting.empty()) cancel(pending);
}

// --- exchanges ----------------------------------------------------------------------------------

Forwarder::Pending* Forwarder::find_pending() {
  const auto known = by_question_.find(asked_->hash, [this](PendingId id) {
    const Pending& pending = pending_.at(id);
    // What began before a flush brings what was flushed.
    return now_ - pending.begun < joined_for &&
           exchanges_.question(pending.exchange) == asked_->question &&
           !cache_.flushed_since(pending.generation, asked_->question);
  });
  return known ? &pending_.at(*known) : nullptr;
}

// Once a failure is no longer held, the question may be sent as often as at first.
static_assert(lost_again_after >= failure_hold_min);

// One of the same question that is too old to be joined: what was sent for it counts all the same.
ExchangeId Forwarder::find_in_progress() {
  const auto known = by_question_.find(asked_->hash, [this](PendingId id) {
    const Pending& pending = pending_.at(id);
    return exchanges_.question(pending.exchange) == asked_->question &&
           !cache_.flushed_since(pending.generation, asked_->question);
  });
  return known ? pending_.at(*known).exchange : ExchangeId{};
}

Forwarder::Pending& Forwarder::begin_exchange(Purpose purpose) {
  const ExchangeId behind = find_in_progress();
  const PendingId id = pending_.insert();
  Pending& pending = pending_.at(id);
  pending.id = id;
  pending.hash = asked_->hash;
  pending.generation = cache_.generation();
  pending.begun = now_;
  pending.purpose = purpose;
  if (purpose == Purpose::cache) ++refreshes_;
  by_question_.insert(asked_->hash, id);
  pending.exchange = exchanges_.start(asked_->question, to_token(id), behind);
  return pending;
}

void Forwarder::set_purpose(Pending& pending, Purpose purpose) {
  if (pending.purpose == Purpose::cache) --refreshes_;
  if (purpose == Purpose::cache) ++refreshes_;
  if (pending.purpose == Purpose::nothing) exchanges_.resume(pending.exchange);
  pending.purpose = purpose;
}

// What has been asked already may go on; its answer is of use to the cache.
void Forwarder::cancel(Pending& pending) {
  set_purpose(pending, Purpose::nothing);
  if (ByStaleDue::contains(pending)) by_stale_due_.remove(pending);
  pending.stale_due = never;
  if (exchanges_.cancel(pending.exchange)) end_exchange(pending.id);
}

// A copy of what was known of it; who waits is still to be finished.
Forwarder::Pending Forwarder::end_exchange(PendingId id) {
  Pending& pending = pending_.at(id);
  if (pending.purpose == Purpose::cache) --refreshes_;
  if (ByStaleDue::contains(pending)) by_stale_due_.remove(pending);
  const Pending ended = pending;
  by_question_.erase(ended.hash, [id](PendingId other) { return other == id; });
  pending_.erase(id);
  return ended;
}

void Forwarder::on_answer(std::uint64_t token, const Question& question, Answer& answer) {
  Pending ended = end_exchange(from_token<PendingTag>(token));
  if (apply_ttl_rules(answer, question, policy_.ttl)) {
    cache_.store(question, ended.hash, answer, now_, ended.generation);
  } else if (answer.is_failure()) {
    if (on_failed_answer(question, ended, answer)) return;
  } else if (!answer.truncated()) {
    cache_.supersede(question, ended.hash, now_);
  }
  finish(ended.waiting, counters_.answered, [&](const Asker& asker, std::span<std::uint8_t> space) {
    return write_response(answer, asker, space);
  });
}

// Every failure is remembered, whatever its RCODE (RFC 9520 §3.2). True if who waited got what was
// known before instead.
bool Forwarder::on_failed_answer(const Question& question, Pending& ended, const Answer& answer) {
  using Origin = Cache::FailureOrigin;
  const bool deliberate = answer.is_deliberate();
  cache_.store_failure(question, ended.hash, answer,
                       deliberate ? Origin::refusal : Origin::upstream, now_, ended.generation);
  return !deliberate && finish_with_stale(ended.waiting, question, ended.hash);
}

void Forwarder::on_failure(std::uint64_t token, const Question& question,
                           const ExchangeFailure& failure) {
  Pending ended = end_exchange(from_token<PendingTag>(token));
  cache_.hold_refresh(question, ended.hash, now_);
  if (finish_with_stale(ended.waiting, question, ended.hash)) return;
  remember(failure, question, ended);
  const LocalAnswer local{
      .rcode = rcode::servfail, .ede_code = failure.ede_code, .ede_text = failure.ede_text};
  finish(ended.waiting, counter_of(failure.cause),
         [&](const Asker& asker, std::span<std::uint8_t> space) {
           return write_local_response(local, asker, space);
         });
}

// A question that upstreams do not answer is not asked again at once. When none can be reached, the
// next query is what finds out that one can.
void Forwarder::remember(const ExchangeFailure& failure, const Question& question,
                         const Pending& pending) {
  using Cause = ExchangeFailure::Cause;
  if (failure.cause != Cause::unanswered && failure.cause != Cause::unusable) return;
  Answer answer;
  answer.rcode = rcode::servfail;
  answer.extended_error = ExtendedError{.code = failure.ede_code, .text = failure.ede_text};
  cache_.store_failure(question, pending.hash, answer, Cache::FailureOrigin::own, now_,
                       pending.generation);
}

Counter& Forwarder::counter_of(ExchangeFailure::Cause cause) {
  switch (cause) {
    case ExchangeFailure::Cause::unauthenticated:
      return counters_.unauthenticated;
    case ExchangeFailure::Cause::unreachable:
      return counters_.unreachable;
    case ExchangeFailure::Cause::unanswered:
      return counters_.unanswered;
    case ExchangeFailure::Cause::unusable:
      break;
  }
  return counters_.unusable;
}

// --- stale answers to those who wait ------------------------------------------------------------

void Forwarder::expect_stale(Pending& pending) {
  pending.stale_due = now_ + stale_client_timeout;
  by_stale_due_.push_back(pending);  // all wait equally long, so the list stays in order
}

Instant Forwarder::next_deadline() const {
  return by_stale_due_.empty() ? never : by_stale_due_.front()->stale_due;
}

// The exchange goes on, within the bound of those nobody waits for: what it brings refreshes the
// cache.
void Forwarder::on_deadline() {
  while (!by_stale_due_.empty() && by_stale_due_.front()->stale_due <= now_) {
    Pending& pending = *by_stale_due_.front();
    by_stale_due_.remove(pending);
    const Question& question = exchanges_.question(pending.exchange);
    if (!finish_with_stale(pending.waiting, question, pending.hash)) continue;
    pending.stale_due = never;
    if (refreshes_ < background_exchanges_max) {
      set_purpose(pending, Purpose::cache);
    } else {
      cancel(pending);
    }
  }
}

// False if there is nothing in the cache to give.
bool Forwarder::finish_with_stale(Waiters::Joined& waiting, const Question& question,
                                  std::uint64_t hash) {
  const Cache::Found found = cache_.find(question, hash, now_, found_);
  const bool stale = found.state == Cache::State::stale;
  if (!stale && found.state != Cache::State::fresh) return false;
  if (stale) cache_.hold_refresh(question, hash, now_);
  finish(waiting, stale ? counters_.stale_waited : counters_.answered,
         [this, stale](const Asker& asker, std::span<std::uint8_t> space) {
           if (stale) counters_.stale.add();
           return write_response(found_, asker, space);
         });
  return true;
}

template <class Write>
void Forwarder::finish(Waiters::Joined& waiting, Counter& counter, Write write) {
  while (Waiter* waiter = waiting.front()) {
    const auto space = waiter->to.sink->response_space(waiter->to, waiter->asker.octets_max);
    if (space.empty()) {
      counters_.abandoned.add();
    } else {
      counter.add();
      waiter->to.sink->response_written(waiter->to, write(waiter->asker, space));
    }
    waiters_.remove(*waiter, waiting);
  }
}

}  // namespace sotto
