#include "simulation.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <memory>
#include <vector>

#include "dns/wire.h"
#include "oracle.h"

namespace sotto::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant start{seconds{1'000}};
// From the end of the last fault until everything must succeed again.
constexpr Duration heal_time = seconds{2};
// Then fresh names are asked for.
constexpr Duration heal_interval = milliseconds{150};
constexpr unsigned heal_names = 1'000'000;
// How long after the last query everything has come to rest.
constexpr Duration rest_time = seconds{90};
constexpr unsigned all_workers = ~0U;
// What a turn takes, at the least.
constexpr Duration turn_time = std::chrono::microseconds{1};
constexpr unsigned turns_at_rest_max = 2'000;

// Stands between pool and exchanges and tells them wrongly what dying connections leave.
class Liar final : public PoolEvents {
 public:
  Liar(Exchanges& exchanges, Plant plant) : exchanges_(exchanges), plant_(plant) {}
  void on_response(Connection& connection, const Pipeline::Match& match,
                   std::span<const std::uint8_t> message) override {
    exchanges_.on_response(connection, match, message);
  }
  void on_lost(Connection& connection, ExchangeId exchange, bool) override {
    if (plant_ == Plant::charges_none) exchanges_.on_lost(connection, exchange, true);
  }
  void on_suspect(Connection& connection, ExchangeId exchange) override {
    exchanges_.on_suspect(connection, exchange);
  }
  void on_garbled(Connection& connection, const Pipeline::Garbled& garbled) override {
    exchanges_.on_garbled(connection, garbled);
  }
  void on_unsuspected(Connection& connection, ExchangeId exchange) override {
    exchanges_.on_unsuspected(connection, exchange);
  }
  void on_change() override { exchanges_.on_change(); }
  void on_upstreams_back() override { exchanges_.on_upstreams_back(); }

 private:
  Exchanges& exchanges_;
  const Plant plant_;
};

class Simulation final : public ResponseSink {
 public:
  Simulation(const Scenario& scenario, const RunOptions& options);
  RunResult play();

  // ResponseSink
  std::span<std::uint8_t> response_space(const ReplyTo& to, std::uint16_t octets_max) override;
  void response_written(const ReplyTo& to, std::size_t octets) override;

 private:
  void schedule();
  void ask(const QueryEntry& entry);
  void begin(const FaultEntry& entry);
  void sleep(Duration time);
  void expect_heal();
  void run_until(Instant limit);
  void end_turns(bool idle);
  void end_turn(unsigned number);
  void check_rest();
  Instant next_timer() const;

  const Scenario& scenario_;
  const RunOptions options_;
  Instant now_ = start;
  Trace trace_;
  Random noise_;
  EventQueue queue_;
  Checker checker_;
  Network network_;
  Sotto sotto_;
  std::vector<std::unique_ptr<Liar>> liars_;

  // Of a worker's loop.
  struct Timer {
    Instant fires = never;
    Instant armed = never;  // what it was set for, by the clock that goes on in sleep
  };
  std::vector<Timer> timers_;
  unsigned awake_ = 0;  // the workers whose turn it is, as bits
  Instant faults_end_ = start;
  Instant last_query_ = start;
  bool races_ = false;  // some group asks all of its upstreams, at times at least
  std::uint64_t turns_ = 0;
  std::array<std::uint8_t, message_octets_max> response_{};
};

Simulation::Simulation(const Scenario& scenario, const RunOptions& options)
    : scenario_(scenario),
      options_(options),
      trace_(now_, options.trace_lines),
      noise_(scenario.settings.seed * 2 + 1),
      checker_(scenario.settings, now_, trace_),
      network_({.queue = queue_,
                .now = now_,
                .settings = scenario.settings,
                .checker = checker_,
                .trace = trace_,
                .noise = noise_,
                .match_by_id_only = options.plant == Plant::matches_by_id}),
      sotto_(scenario.settings, network_, now_, trace_),
      timers_(scenario.settings.workers) {
  if (options.plant != Plant::forgets_lost && options.plant != Plant::charges_none) return;
  for (const auto& worker : sotto_.workers) {
    liars_.push_back(std::make_unique<Liar>(worker->exchanges, options.plant));
    worker->pool.set_events(*liars_.back());
  }
}

void Simulation::schedule() {
  checker_.on_configured(sotto_.configure(reload_unchanged));
  constexpr unsigned all = static_cast<unsigned>(Selection::all);
  const auto& groups = scenario_.settings.groups;
  races_ = std::find(groups.begin(), groups.end(), all) != groups.end();
  for (const QueryEntry& entry : scenario_.queries) {
    queue_.at(start + milliseconds{entry.at}, [this, &entry] { ask(entry); });
    last_query_ = std::max(last_query_, start + milliseconds{entry.at});
  }
  for (const FaultEntry& entry : scenario_.faults) {
    const Instant at = start + milliseconds{entry.at};
    faults_end_ = std::max(faults_end_, at);
    if (entry.fault == Fault::reload && entry.amount == reload_selection + all) races_ = true;
    queue_.at(at, [this, &entry] { begin(entry); });
  }
  queue_.at(faults_end_, [this] { expect_heal(); });
}

// --- clients ------------------------------------------------------------------------------------

void Simulation::ask(const QueryEntry& entry) {
  Message query;
  query.id = noise_.next16();
  query.flags = flag::recursion_desired;
  query.name = name_numbered(entry.name);
  // Clients that spell names at random expect them back the same way.
  for (std::uint8_t& octet : query.name) {
    if (octet >= 'a' && octet <= 'z' && noise_.below(2) == 0) octet ^= 0x20U;
  }
  query.type = static_cast<std::uint16_t>(entry.type);
  query.edns = entry.edns;
  const Octets message = write_message(query);
  trace_.note("query, client, name and type", entry.client, entry.name, entry.type);
  const std::size_t number = checker_.asked(entry, query);
  last_query_ = std::max(last_query_, now_);

  const unsigned number_of_worker = entry.client % scenario_.settings.workers;
  awake_ |= 1U << number_of_worker;
  Forwarder& forwarder = sotto_.workers[number_of_worker]->forwarder;
  const std::array<std::uint8_t, 4> address = {127, 0, 0, static_cast<std::uint8_t>(entry.client)};
  const Client client{.address = address, .datagram = entry.leaves == 0};
  const auto now = forwarder.answer_now(client, message, response_);
  switch (now.outcome) {
    case Forwarder::Outcome::answered:
      checker_.on_response(number, std::span(response_).first(now.octets));
      break;
    case Forwarder::Outcome::pending:
      forwarder.forward({.sink = this, .path = {}, .connection = number});
      break;
    case Forwarder::Outcome::drop:
      checker_.fail("once", "a query was dropped");
      break;
  }
}

std::span<std::uint8_t> Simulation::response_space(const ReplyTo& to, std::uint16_t octets_max) {
  if (checker_.gone(to.connection)) return {};
  return std::span(response_).first(octets_max);
}

void Simulation::response_written(const ReplyTo& to, std::size_t octets) {
  checker_.on_response(to.connection, std::span(response_).first(octets));
}

// --- faults -------------------------------------------------------------------------------------

void Simulation::begin(const FaultEntry& entry) {
  trace_.note(name_of(entry.fault), entry.endpoint, entry.duration, entry.amount);
  faults_end_ = std::max(faults_end_, now_ + milliseconds{entry.duration});
  switch (entry.fault) {
    case Fault::suspend:
    case Fault::pause:
      sleep(milliseconds{entry.duration});
      // The clock that shows the time of day has jumped.
      if (entry.fault == Fault::pause) break;
      for (const auto& worker : sotto_.workers) worker->pool.on_clock_change();
      awake_ = all_workers;
      break;
    case Fault::network_change:
      network_.begin(entry);
      if (entry.amount != 0) break;
      checker_.on_path_change();
      for (const auto& worker : sotto_.workers) worker->pool.on_network_change();
      awake_ = all_workers;
      break;
    case Fault::reload:
      checker_.on_asked_anew();
      checker_.on_configured(sotto_.configure(entry.amount));
      awake_ = all_workers;
      break;
    case Fault::flush:
      checker_.on_asked_anew();
      sotto_.cache.flush();
      break;
    default:
      network_.begin(entry);
      break;
  }
}

// What would have happened meanwhile happens right after; timers count only time awake.
void Simulation::sleep(Duration time) {
  now_ += time;
  for (Timer& timer : timers_) {
    if (timer.fires != never) timer.fires += time;
  }
  checker_.on_slept(time);
  checker_.on_path_change();
}

// Asks for fresh names once the last fault has been over for long enough.
void Simulation::expect_heal() {
  if (now_ < faults_end_ + heal_time) {
    queue_.at(faults_end_ + heal_time, [this] { expect_heal(); });
    return;
  }
  trace_.note("all is well from here on");
  checker_.on_healed();
  for (unsigned count = 0; count < scenario_.settings.probes; ++count) {
    queue_.at(now_ + count * heal_interval,
              [this, count] { ask({.client = 1, .name = heal_names + count, .type = 1}); });
  }
}

// --- the loop -----------------------------------------------------------------------------------

// As transport/loop_io: all that is ready is handled, then the turn ends, and the timer is set anew
// if it would fire too late.
void Simulation::end_turn(unsigned number) {
  ++turns_;
  Worker& worker = *sotto_.workers[number];
  Timer& timer = timers_[number];
  worker.turn.tell_deadlines();
  worker.turn.send();
  const Instant deadline = worker.turn.next_deadline();
  if (deadline < timer.armed || timer.armed <= now_) {
    timer.armed = deadline;
    timer.fires = deadline == never ? never : std::max(deadline, now_);
  }
  if (const char* what = worker.miscounted(false)) checker_.fail("counters", what);
}

// Of the workers for whom something happened.
void Simulation::end_turns(bool idle) {
  awake_ |= network_.take_told();
  for (unsigned number = 0; number < timers_.size(); ++number) {
    Timer& timer = timers_[number];
    const bool fires = timer.fires <= now_;
    if (fires) timer.fires = timer.armed = never;
    if (fires || (awake_ >> number & 1U) != 0) end_turn(number);
  }
  awake_ = 0;
  checker_.on_turn(idle);
}

Instant Simulation::next_timer() const {
  Instant next = never;
  for (const Timer& timer : timers_) next = std::min(next, timer.fires);
  return next;
}

void Simulation::run_until(Instant limit) {
  while (!checker_.failure()) {
    const Instant next = std::min(queue_.next(), next_timer());
    if (next > limit) break;
    now_ = std::max(now_ + turn_time, next);
    const bool idle = queue_.next() > now_;
    queue_.run_due(now_);
    end_turns(idle);
  }
  now_ = std::max(now_, limit);
}

void Simulation::check_rest() {
  if (checker_.failure()) return;
  if (checker_.unanswered() > 0) checker_.fail("once", "a query was never answered");
  if (const char* what = sotto_.left_over()) checker_.fail("state", what);
  const bool probing = scenario_.settings.probe_interval > 0;
  if (network_.connections() > 0 && !probing) checker_.fail("state", "connections left at rest");
  for (const auto& worker : sotto_.workers) {
    if (const char* what = worker->miscounted(!probing)) checker_.fail("counters", what);
    if (!races_ && worker->overspent()) checker_.fail("budget", "too many hedges");
  }
  const std::uint64_t before = turns_;
  run_until(now_ + seconds{60});
  if (turns_ - before > turns_at_rest_max) checker_.fail("spin", "turns although nothing happens");
}

RunResult Simulation::play() {
  schedule();
  awake_ = all_workers;
  end_turns(false);
  // Time asleep moves the end away.
  while (!checker_.failure() && now_ < std::max(last_query_, faults_end_) + rest_time) {
    run_until(std::max(last_query_, faults_end_) + rest_time);
  }
  check_rest();
  RunResult result{.failure = checker_.failure(),
                   .hash = trace_.hash(),
                   .events = trace_.events(),
                   .time = now_ - start,
                   .trace = trace_.lines(),
                   .tally = checker_.tally()};
  return result;
}

}  // namespace

RunResult run(const Scenario& scenario, const RunOptions& options) {
  return Simulation(scenario, options).play();
}

}  // namespace sotto::sim
