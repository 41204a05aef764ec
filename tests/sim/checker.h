// What must hold whatever goes wrong, looked at after every event: right answers, exactly one, in
// time, within the budgets of sends and connections, within the bounds of TTLs, and nothing left
// over. The first thing that does not hold ends the run.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "message.h"
#include "scenario.h"
#include "trace.h"

namespace sotto::sim {

struct Failure {
  std::string invariant;  // one word, the same for the same kind of failure
  std::string text;
};

// What a run came to, for those who choose what to generate.
struct Tally {
  std::uint64_t queries = 0, answered = 0, failed = 0, stale = 0, sends = 0, connections = 0;
  Duration slowest{};

  void add(const Tally& other);
};

class Checker {
 public:
  Checker(const Settings& settings, const Instant& clock_now, Trace& trace)
      : settings_(settings), now_(clock_now), trace_(trace) {}

  void fail(const char* invariant, const std::string& text);
  const std::optional<Failure>& failure() const { return failure_; }
  const Tally& tally() const { return tally_; }

  // Time that passed without anybody running is nobody's fault.
  void on_slept(Duration time) { slept_ += time; }
  // The endpoints sotto may connect to from now on.
  void on_configured(std::set<unsigned> endpoints) { configured_ = std::move(endpoints); }
  // From now on every query succeeds: the last fault has been over for long enough.
  void on_healed() { healed_ = true; }

  // From now on sotto knows that connections have lost their path.
  void on_path_change() { path_changed_ = now_; }
  // What was asked before is asked anew, as an operator wants it: of upstreams that are configured
  // again, or past a cache that is flushed.
  void on_asked_anew() { asked_anew_ = now_; }

  // The network's side. flow: a connection's number, never used twice.
  void on_open(std::uint64_t flow, unsigned endpoint, unsigned worker);
  void on_flow_ended(std::uint64_t flow, bool by_us);
  void on_sent(std::uint64_t flow, const Message& query);
  // Whatever came, right or wrong.
  void on_message(std::uint64_t flow) { flows_.at(flow).spoke = true; }
  // Something else came under the ID of this query, or its answer under another one.
  void on_wrong(std::uint64_t flow, const Message& query);
  // answer: null if the server said nothing but this RCODE.
  void on_heard(std::uint64_t flow, const Message& query, const Message* answer,
                std::uint16_t rcode);

  // The clients' side: asked() returns the query's number.
  std::size_t asked(const QueryEntry& entry, Message query);
  void on_response(std::size_t number, std::span<const std::uint8_t> octets);
  // Whether its client has gone; nobody expects an answer then.
  bool gone(std::size_t number) const;
  std::size_t unanswered() const;

  // At the end of each turn. idle: nothing but a timer had asked for it.
  void on_turn(bool idle);

 private:
  struct Asked {
    QueryEntry entry;
    Message query;
    Instant at;        // when it was asked …
    Duration awake{};  // … in time during which sotto ran
    bool after_heal = false;
    bool answered = false;
  };
  struct Flow {
    unsigned endpoint = 0;
    unsigned worker = 0;
    bool spoke = false;  // something came
    unsigned heard = 0;  // right answers
    bool ended = false;
    bool ended_by_us = false;
    bool path_gone = false;
  };
  struct Send {
    std::uint64_t flow;
    unsigned upstream;
    Instant at;
    bool failed = false;   // the upstream answered that it failed
    bool wrong = false;    // … or answered wrongly
    bool formerr = false;  // … or that it does not know EDNS
  };
  // What is known of a question: lower-case name and type.
  using Key = std::pair<Octets, std::uint16_t>;
  struct Known {
    unsigned asked = 0;
    std::vector<Send> sends;
    std::set<unsigned> refused_by;  // upstreams that said SERVFAIL or REFUSED
    bool heard = false;
    // Whatever was sent before this belongs to an exchange that has ended since.
    Instant settled{};
    Instant lowest_expiry{}, highest_expiry{};  // of what sotto heard so far
  };

  Duration awake() const { return now_.time_since_epoch() - slept_; }
  void check_send_budget(const Known& known, const Flow& flow);
  void settle(const Key& key, Known& known);
  void on_formerr(std::uint64_t flow, Known& known);
  bool excused(const Send& send) const;
  void check_open_budget(unsigned endpoint);
  void check_answer(const Asked& asked, const Message& response);
  void check_ttls(const Asked& asked, const Message& response);
  void check_failure(const Asked& asked, const Message& response);

  const Settings& settings_;
  const Instant& now_;
  Trace& trace_;
  std::optional<Failure> failure_;
  Tally tally_;
  Duration slept_{};
  bool healed_ = false;

  std::vector<Asked> asked_;
  std::size_t oldest_unanswered_ = 0;
  std::map<Key, Known> known_;
  std::set<unsigned> configured_;
  Instant path_changed_{};
  Instant asked_anew_{};
  std::map<std::uint64_t, Flow> flows_;
  std::map<unsigned, std::deque<Instant>> opened_;     // by endpoint, of the last ten seconds
  std::map<unsigned, std::deque<Instant>> fulfilled_;  // … when one ended that had been of use
  Instant turns_since_{};
  unsigned turns_ = 0;  // idle ones within the millisecond since then
};

}  // namespace sotto::sim
