// What exchanges do when answers are late: ask elsewhere too, ask again, wait for longer.
#include <algorithm>
#include <utility>

#include "upstream/exchanges.h"

namespace sotto {

// How long an answer from there may take before another is asked too, or the same once more.
Duration Exchanges::patience_with(std::uint32_t id) const {
  const Upstream* upstream = pool_.find_upstream(id);
  if (upstream == nullptr || pool_.hedge_percent() == 0) return lost_after_at(id);
  const Duration p95 = upstream->latency.p95();
  if (p95 == Duration{0}) return hedge_after_unknown;
  return std::clamp(p95, pool_.hedges_elsewhere(id) ? hedge_after_min : hedge_at_home_min,
                    lost_after_at(id));
}

// Where answers always take long, none is lost so soon.
Duration Exchanges::lost_after_at(std::uint32_t id) const {
  const Upstream* upstream = pool_.find_upstream(id);
  return upstream == nullptr ? lost_after : std::max(lost_after, upstream->latency.patience());
}

void Exchanges::hedge_late_ones() {
  bool found = true;
  while (std::exchange(found, false)) {
    Exchange* late = nullptr;
    lateness_.for_each_front([&](std::uint32_t upstream, Exchange& oldest) {
      if (now_ - oldest.asked >= patience_with(upstream)) late = &oldest;
    });
    if (late == nullptr) break;
    found = true;
    lateness_.remove(*late);
    lateness_.add_late(*late);
    hedge(*late);
  }
}

// Whoever is waiting for a connection anyway is not late because of an upstream.
void Exchanges::hedge(Exchange& exchange) {
  const bool may = pool_.hedge_percent() > 0 && exchange.sends < sends_max &&
                   exchange.has(Attempt::State::active) && !exchange.bad_answer &&
                   !exchange.cancelled;
  // One that was sent again, its connection having died, is not late yet.
  if (!may || now_ - exchange.last_sent < patience_with(exchange.tried().front().upstream)) return;
  Connection* another = pool_.pick_for_late(exchange);
  if (another == nullptr) return;
  if (hedge_budget_.take()) {
    send(exchange, *another, Pool::Sending::hedge);
  } else {
    ++hedges_denied_;
  }
}

// The answer may come yet, unless an exchange has failed for want of it.
void Exchanges::take_for_lost(Exchange& exchange) {
  const Instant failed_at = std::exchange(exchange.failed_at, Instant{});
  if (failed_at != Instant{}) begin_anew(exchange, failed_at);
  for (Attempt& attempt : exchange.tried()) {
    if (attempt.state == Attempt::State::active) attempt.state = Attempt::State::suspect;
  }
  ask_again(exchange);
}

// What was sent for an exchange that has failed meanwhile neither counts nor takes a place any
// more: its failure was remembered for as long as RFC 9520 §3.2 asks for.
void Exchanges::begin_anew(Exchange& exchange, Instant failed_at) {
  std::uint8_t kept = 0;
  for (const Attempt& attempt : exchange.tried()) {
    if (attempt.sent >= failed_at) {
      exchange.attempts[kept++] = attempt;
    } else if (attempt.state != Attempt::State::over) {
      pool_.abandon(attempt.id);
    }
  }
  exchange.sends = kept;
  exchange.counted_since = failed_at;
  if (kept > 0) return;
  lateness_.remove(exchange);  // it is late again once it is sent
  exchange.hedged = false;
}

// Nothing has come for so long that it was lost somewhere.
void Exchanges::ask_lost_ones_again() {
  while (Exchange* exchange = lateness_.next_lost()) {
    if (now_ < exchange->lost_at) return;
    lateness_.remove(*exchange);
    lateness_.add_lost(*exchange, now_);
    const Attempt* first = exchange->tried().empty() ? nullptr : &exchange->tried().front();
    const bool patient =
        first != nullptr && now_ - exchange->asked < lost_after_at(first->upstream);
    if (!patient) take_for_lost(*exchange);
  }
}

}  // namespace sotto
