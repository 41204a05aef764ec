#include "simulation.h"

#include <algorithm>
#include <cassert>
#include <chrono>

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
// What a turn takes, at the least.
constexpr Duration turn_time = std::chrono::microseconds{1};
constexpr unsigned turns_at_rest_max = 2'000;

// Loses what dying connections leave. Stands between pool and exchanges.
class Forgetful final : public PoolEvents {
 public:
  explicit Forgetful(Exchanges& exchanges) : exchanges_(exchanges) {}
  void on_response(Connection& connection, const Pipeline::Match& match,
                   std::span<const std::uint8_t> message) override {
    exchanges_.on_response(connection, match, message);
  }
  void on_lost(Connection&, ExchangeId, bool) override {}
  void on_suspect(Connection& connection, ExchangeId exchange) override {
    exchanges_.on_suspect(connection, exchange);
  }
  void on_unsuspected(Connection& connection, ExchangeId exchange) override {
    exchanges_.on_unsuspected(connection, exchange);
  }
  void on_change() override { exchanges_.on_change(); }
  void on_upstreams_back() override { exchanges_.on_upstreams_back(); }

 private:
  Exchanges& exchanges_;
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
  void end_turn();
  void check_rest();

  const Scenario& scenario_;
  const RunOptions options_;
  Instant now_ = start;
  Trace trace_;
  Random noise_;
  EventQueue queue_;
  Checker checker_;
  Network network_;
  Sotto sotto_;
  Forgetful forgetful_;

  Instant timer_ = never;        // when the loop's timer fires
  Instant timer_armed_ = never;  // what it was set for, by the clock that goes on in sleep
  Instant faults_end_ = start;
  Instant last_query_ = start;
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
      forgetful_(sotto_.exchanges) {
  if (options.plant == Plant::forgets_lost) sotto_.pool.set_events(forgetful_);
}

void Simulation::schedule() {
  checker_.on_configured(sotto_.configure(reload_unchanged));
  for (const QueryEntry& entry : scenario_.queries) {
    queue_.at(start + milliseconds{entry.at}, [this, &entry] { ask(entry); });
    last_query_ = std::max(last_query_, start + milliseconds{entry.at});
  }
  for (const FaultEntry& entry : scenario_.faults) {
    const Instant at = start + milliseconds{entry.at};
    faults_end_ = std::max(faults_end_, at);
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

  const std::array<std::uint8_t, 4> address = {127, 0, 0, static_cast<std::uint8_t>(entry.client)};
  const Client client{.address = address, .datagram = entry.leaves == 0};
  const auto now = sotto_.forwarder.answer_now(client, message, response_);
  switch (now.outcome) {
    case Forwarder::Outcome::answered:
      checker_.on_response(number, std::span(response_).first(now.octets));
      break;
    case Forwarder::Outcome::pending:
      sotto_.forwarder.forward({.sink = this, .path = {}, .connection = number});
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
      break;
    case Fault::reload:
      checker_.on_configured(sotto_.configure(entry.amount));
      break;
    case Fault::flush:
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
  if (timer_ != never) timer_ += time;
  checker_.on_slept(time);
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
void Simulation::end_turn() {
  ++turns_;
  sotto_.turn.tell_deadlines();
  sotto_.turn.send();
  const Instant deadline = sotto_.turn.next_deadline();
  if (deadline < timer_armed_ || timer_armed_ <= now_) {
    timer_armed_ = deadline;
    timer_ = deadline == never ? never : std::max(deadline, now_);
  }
  checker_.on_turn();
  if (const char* what = sotto_.miscounted()) checker_.fail("counters", what);
}

void Simulation::run_until(Instant limit) {
  while (!checker_.failure()) {
    const Instant next = std::min(queue_.next(), timer_);
    if (next > limit) break;
    now_ = std::max(now_ + turn_time, next);
    if (timer_ <= now_) timer_ = timer_armed_ = never;
    queue_.run_due(now_);
    end_turn();
  }
  now_ = std::max(now_, limit);
}

void Simulation::check_rest() {
  if (checker_.failure()) return;
  if (checker_.unanswered() > 0) checker_.fail("once", "a query was never answered");
  if (const char* what = sotto_.left_over()) checker_.fail("state", what);
  const bool probing = scenario_.settings.probe_interval > 0;
  if (network_.connections() > 0 && !probing) checker_.fail("state", "connections left at rest");
  const std::uint64_t before = turns_;
  run_until(now_ + seconds{60});
  if (turns_ - before > turns_at_rest_max) checker_.fail("spin", "turns although nothing happens");
}

RunResult Simulation::play() {
  schedule();
  end_turn();
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
