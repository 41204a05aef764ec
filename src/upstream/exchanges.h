// The exchanges of one worker: each question put to upstreams until one answers, over connections
// that come and go, within a deadline of its own. Decides; the pool's links do. Test:
// tests/unit/upstream/exchanges_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/slot_map.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "upstream/exchange.h"
#include "upstream/lateness.h"
#include "upstream/pool.h"

namespace sotto {

// Why a question has no answer, for an EDE (RFC 8914).
struct ExchangeFailure {
  enum class Cause : std::uint8_t {
    unauthenticated,  // no upstream is who it should be
    unreachable,      // no connection to any upstream
    unanswered,       // asked, but no answer in time
    unusable,         // asked as often as is allowed, without a usable answer
  };
  Cause cause;
  std::uint16_t ede_code;
  std::string_view ede_text;  // static storage
};

// Who gets results. May start new exchanges from inside; each exchange ends with exactly one of
// these.
class ExchangeEvents {
 public:
  // question and answer are valid during the call; answer may be changed.
  virtual void on_answer(std::uint64_t token, const Question& question, Answer& answer) = 0;
  virtual void on_failure(std::uint64_t token, const Question& question,
                          const ExchangeFailure& failure) = 0;
  // An upstream answers after all of them had failed.
  virtual void on_upstreams_back() = 0;

 protected:
  ~ExchangeEvents() = default;
};

class Exchanges final : public PoolEvents {
 public:
  // All outlive this object.
  Exchanges(Pool& pool, const Instant& clock_now);

  void set_events(ExchangeEvents& events) { events_ = &events; }
  // Also for those in progress, if it ends them sooner.
  void set_timeout(Duration timeout);
  Duration timeout() const { return timeout_; }

  // token: handed back with the result. behind: one of the same question, if one is in progress:
  // what was sent for it is not sent again for this one, and its answer is this one's, too.
  ExchangeId start(const Question& question, std::uint64_t token, ExchangeId behind = {});
  // Nobody waits for its result any more: nothing more is sent for it. True if it has ended,
  // without a result event. What has been asked goes on while it may be answered: its place on the
  // connection stays taken anyway, and abandoning what a healthy server was about to answer would
  // count against it (pipeline_abandoned_max). So no more of these go on than connections have
  // room.
  bool cancel(ExchangeId id);
  // Somebody waits again; harmless for what was not cancelled.
  void resume(ExchangeId id);
  const Question& question(ExchangeId id) { return exchanges_.at(id).question; }
  // Has any upstream a chance to answer what starts now?
  bool usable() const { return pool_.usable(); }

  std::size_t in_progress() const { return exchanges_.size(); }
  // Queries that were late and beyond the budget for asking elsewhere too.
  std::uint64_t hedges_denied() const { return hedges_denied_; }
  // The machine was suspended for at least this long: nobody waited during that time. Nobody gets
  // more than the time of a new exchange: some may have begun in the turn that notices.
  void on_slept(Duration time);
  // Ends all of them; nothing is sent any more.
  void give_up_all();

  // Sends what waits as far as there are connections, then everything to the wire. Last in a turn.
  void end_turn();
  // When to call on_deadline(). Ask at the end of a turn and keep the value until the next one:
  // what was due and found no use is not told again.
  Instant next_deadline() const;
  void on_deadline();

  // PoolEvents
  void on_response(Connection& connection, const Pipeline::Match& match,
                   std::span<const std::uint8_t> message) override;
  void on_lost(Connection& connection, ExchangeId exchange, bool excused) override;
  void on_suspect(Connection& connection, ExchangeId exchange) override;
  void on_garbled(Connection& connection, const Pipeline::Garbled& garbled) override;
  void on_unsuspected(Connection& connection, ExchangeId exchange) override;
  void on_change() override { look_again_ = pool_changed_ = true; }
  void on_upstreams_back() override { events_->on_upstreams_back(); }

 private:
  using ByAge = IntrusiveList<Exchange, &Exchange::by_age>;
  using Waiting = IntrusiveList<Exchange, &Exchange::in_waiting>;

  enum class Sending : std::uint8_t {
    sent,
    waits,
    waits_constrained,
    not_worth_waiting,
    exhausted
  };
  Sending try_to_send(Exchange& exchange);
  void send(Exchange& exchange, Connection& connection, Pool::Sending sending);
  void race(Exchange& exchange);
  void hedge_late_ones();
  void hedge(Exchange& exchange);
  void ask_lost_ones_again();
  void take_for_lost(Exchange& exchange);
  void begin_anew(Exchange& exchange, Instant failed_at);
  bool owed(const Exchange& exchange) const;
  Duration lost_after_at(std::uint32_t upstream) const;
  Duration patience_with(std::uint32_t upstream) const;
  void ask_again(Exchange& exchange);
  void end_soon(Exchange& exchange);
  void follow(Exchange& exchange, Exchange& leader);
  Exchange* hand_over(Exchange& exchange);
  void expire(Exchange& exchange);
  void serve_waiting();
  bool serve(Exchange& exchange);
  void stop_waiting(Exchange& exchange);
  void on_refusal(Connection& connection, Exchange& exchange, Attempt& attempt,
                  std::span<const std::uint8_t> message);
  void ask_without_edns(Exchange& exchange, Attempt& attempt);
  bool ask_elsewhere_instead(Exchange& exchange, std::uint32_t upstream);
  void note_slow(Connection& connection, const Exchange& exchange, const Attempt& answered);
  void give_up(Exchange& exchange, const ExchangeFailure& failure);
  void finish(Exchange& exchange, Answer& answer);
  void retire(Exchange& exchange);

  Pool& pool_;
  const Instant& now_;
  ExchangeEvents* events_ = nullptr;
  Duration timeout_ = std::chrono::milliseconds{4'500};

  SlotMap<Exchange, ExchangeTag> exchanges_;
  ByAge by_age_;
  Waiting waiting_;  // those that need a connection; handed back ones in front
  // Those that wait for an upstream they have not used up, while others might be served; they are
  // looked at again when the pool changes.
  Waiting constrained_;
  Lateness lateness_;
  ShareBudget hedge_budget_;
  ShareBudget explore_budget_;
  std::uint64_t hedges_denied_ = 0;
  bool look_again_ = false;    // somebody who waits may have a chance now
  bool pool_changed_ = false;  // … even of those in constrained_
  Answer answer_;              // the response being evaluated
};

}  // namespace sotto
