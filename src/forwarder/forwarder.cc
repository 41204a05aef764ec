#include "forwarder/forwarder.h"

#include <cassert>
#include <utility>

#include "base/hash.h"

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

Forwarder::Forwarder(Exchanges& exchanges, ForwarderCounters& counters, Random& random)
    : exchanges_(exchanges), counters_(counters), hash_seed_(random.next64()) {
  exchanges_.set_events(*this);
}

Forwarder::Now Forwarder::answer_now(const Client& client, std::span<const std::uint8_t> message,
                                     std::span<std::uint8_t> out) {
  counters_.queries.add();
  const Verdict verdict = parse_query(message, query_);
  if (verdict == Verdict::drop) {
    counters_.dropped.add();
    return {Outcome::drop};
  }
  asker_ = Asker::of(query_, response_octets_max(query_.edns, client.datagram));
  asker_.padding_block = client.padding_block;
  asker_.keepalive = client.keepalive;
  if (!any_contains(policy_.allow, client.address)) {
    return answer(refused_answer, out, counters_.refused);
  }
  if (verdict != Verdict::accept) return answer(answer_for(verdict), out, counters_.malformed);
  if (policy_.special_use_names) {
    SpecialAnswer special;
    if (policy_.names.answer(query_.qname, query_.qtype, query_.qclass, special)) {
      return answer(special.local(), out, counters_.local);
    }
  }
  question_ = Question(query_.qname, query_.qtype, query_.qclass,
                       {.recursion_desired = query_.recursion_desired(),
                        .checking_disabled = query_.checking_disabled(),
                        .dnssec_ok = query_.edns.dnssec_ok});
  hash_ = keyed_hash(question_.key(), hash_seed_);
  if (waiters_.size() >= waiting_queries_max) return answer(shed_answer, out, counters_.shed);
  return {Outcome::pending};
}

Forwarder::Now Forwarder::answer(const LocalAnswer& local, std::span<std::uint8_t> out,
                                 Counter& counter) {
  counter.add();
  return {Outcome::answered, write_local_response(local, asker_, out)};
}

void Forwarder::forward(const ReplyTo& to) {
  const WaiterId waiter_id = waiters_.insert();
  Waiter& waiter = waiters_.at(waiter_id);
  waiter.asker = asker_;
  waiter.to = to;
  const auto known = by_question_.find(hash_, [this](PendingId id) {
    return exchanges_.question(pending_.at(id).exchange) == question_;
  });
  if (known) {
    counters_.coalesced.add();
    Pending& pending = pending_.at(*known);
    waiter.next = pending.first;
    pending.first = waiter_id;
    return;
  }
  counters_.forwarded.add();
  const PendingId pending_id = pending_.insert();
  Pending& pending = pending_.at(pending_id);
  pending.first = waiter_id;
  pending.hash = hash_;
  by_question_.insert(hash_, pending_id);
  pending.exchange = exchanges_.start(question_, to_token(pending_id));
}

template <class Write>
void Forwarder::finish(std::uint64_t token, Counter& counter, Write write) {
  const auto pending_id = from_token<PendingTag>(token);
  const Pending pending = pending_.at(pending_id);
  by_question_.erase(pending.hash, [pending_id](PendingId id) { return id == pending_id; });
  pending_.erase(pending_id);
  for (WaiterId id = pending.first; id;) {
    const Waiter& waiter = waiters_.at(id);
    const auto space = waiter.to.sink->response_space(waiter.to, waiter.asker.octets_max);
    if (space.empty()) {
      counters_.abandoned.add();
    } else {
      counter.add();
      waiter.to.sink->response_written(waiter.to, write(waiter.asker, space));
    }
    const WaiterId next = waiter.next;
    waiters_.erase(id);
    id = next;
  }
}

void Forwarder::on_answer(std::uint64_t token, const Answer& answer) {
  finish(token, counters_.answered, [&](const Asker& asker, std::span<std::uint8_t> space) {
    return write_response(answer, asker, space);
  });
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

void Forwarder::on_failure(std::uint64_t token, const ExchangeFailure& failure) {
  const LocalAnswer local{
      .rcode = rcode::servfail, .ede_code = failure.ede_code, .ede_text = failure.ede_text};
  finish(token, counter_of(failure.cause), [&](const Asker& asker, std::span<std::uint8_t> space) {
    return write_local_response(local, asker, space);
  });
}

}  // namespace sotto
