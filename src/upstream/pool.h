// The connections of one worker: opens them when queries need them, picks one for each query, and
// gives back what a dying one leaves unanswered. Groups of upstreams are tried in their order,
// upstreams of a group as its selection says.
// Test: tests/unit/upstream/pool_test.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/random.h"
#include "upstream/connection.h"
#include "upstream/exchange.h"
#include "upstream/report.h"
#include "upstream/upstream.h"

namespace sotto {

// One connection carries everything; more are opened only while others are silent or full, or will
// be closed by their server soon.
inline constexpr std::size_t connections_per_upstream_max = 8;
// While an upstream takes longer than this to connect, the next one is tried too: longer than a
// handshake across the world.
inline constexpr Duration connect_patience = std::chrono::milliseconds{250};

// An endpoint that fails is tried again in the background this often, the longer it has been
// failing the less often, while clients ask at all.
inline constexpr Duration retry_interval_min = std::chrono::seconds{1};
inline constexpr Duration retry_interval_max = std::chrono::seconds{10};
inline constexpr Duration retry_interest = std::chrono::minutes{1};
// When all fail it is the network: one of them is tried this often, for ever, so that the first
// query after it is back finds a connection.
inline constexpr Duration outage_retry_interval = std::chrono::seconds{1};
// An upstream of a group that was not asked for this long, others being faster, is asked something
// of our own, lest nobody sees that it has recovered.
inline constexpr Duration explore_interval = std::chrono::seconds{1};
// A query of our own that has no answer by then gets none.
inline constexpr Duration probe_timeout = std::chrono::seconds{3};
// Reopening a connection to keep it warm ends after so many that nobody asked anything on.
inline constexpr unsigned reopened_max = 8;

struct UpstreamCounters {
  // sent + resent + hedged + probes = answered + lost + abandoned + those in flight; late ones had
  // been abandoned.
  Counter sent, resent, hedged, probes, answered, lost, abandoned, late;
  Counter mismatched, unasked, malformed;
  Counter connections, handshakes, resumed, failed_transport, failed_authentication, suspected;
};

// What the pool tells the exchanges; of the pool they may only call abandon() and what begins with
// note_
// from inside.
class PoolEvents {
 public:
  virtual void on_response(Connection& connection, const Pipeline::Match& match,
                           std::span<const std::uint8_t> message) = 0;
  // The connection died; excused: it was of use before that, or its path had gone.
  virtual void on_lost(Connection& connection, ExchangeId exchange, bool excused) = 0;
  // The connection is silent, or the answer was among what came garbled: ask elsewhere, but an
  // answer from it would still do.
  virtual void on_suspect(Connection& connection, ExchangeId exchange) = 0;
  // What came illegible was the answer to this attempt, by all appearances.
  virtual void on_garbled(Connection& connection, const Pipeline::Garbled& garbled) = 0;
  // It is not silent after all.
  virtual void on_unsuspected(Connection& connection, ExchangeId exchange) = 0;
  // A connection became usable, or one failed: whoever waits should look again.
  virtual void on_change() = 0;
  // One answers after all had failed.
  virtual void on_upstreams_back() = 0;

 protected:
  ~PoolEvents() = default;
};

class Pool final : public ConnectionEvents {
 public:
  // All outlive the pool.
  Pool(LinkOpener& opener, BackoffRegistry& backoffs, UpstreamObserver& observer,
       UpstreamCounters& counters, Random& random, const Instant& clock_now);
  ~Pool();

  void set_events(PoolEvents& events) { events_ = &events; }

  // Takes over a new configuration. Endpoints found again by identity and trust keep their
  // connections and what was learned; those of others finish what they carry and close.
  void apply(PoolSpec spec);

  // Routes or addresses of the host may have changed: connections whose path has gone or is another
  // one now are retired, and what failed on it is tried at once.
  void on_network_change();
  // The wall clock was set: certificates may be valid that were not.
  void on_clock_change();

  PoolReport report() const;

  struct Pick {
    enum class Verdict : std::uint8_t {
      use,        // connection is set
      wait,       // a path may come
      exhausted,  // no upstream may be asked again for this exchange
    };
    Verdict verdict;
    Connection* connection = nullptr;
    bool hopeful = false;      // with wait: one that is not known to fail is being connected to
    bool constrained = false;  // with wait: some upstream may not be asked for this exchange
  };
  // A connection for one more query of this exchange; opens connections as needed. waiting: how
  // many exchanges wait for a connection.
  Pick pick(const Exchange& exchange, bool fresh, std::size_t waiting);
  // For a query that was sent once: a connection to one more upstream of its group that works and
  // has not been asked; null without one.
  Connection* pick_another(const Exchange& exchange);
  // … or, where there is no other to take, another connection to the same one, if the first has
  // been silent since.
  Connection* pick_for_late(const Exchange& exchange);
  // Is a late query asked of another upstream of this one's group?
  bool hedges_elsewhere(std::uint32_t upstream) const;
  // Is there more than one upstream in this one's group?
  bool has_alternative(std::uint32_t upstream) const;
  Selection selection_of(const Upstream& upstream) const {
    return groups_[upstream.group].selection;
  }
  // Null if it is not configured any more.
  const Upstream* find_upstream(std::uint32_t id) const;
  unsigned hedge_percent() const { return hedge_percent_; }

  // Is there an upstream with a usable connection, or one that did not fail when tried last?
  bool usable() const;
  bool usable(const Upstream& upstream) const;
  // Did the last attempt at every endpoint end with the peer not being who it should be?
  bool all_failed_authentication() const;

  // connection: from pick().
  PipelineSlotId send(Connection& connection, ExchangeId exchange, const Question& question,
                      const QueryShape& shape, bool anew);
  void abandon(const AttemptId& attempt);
  // What comes for this attempt is for another exchange from now on.
  void reassign(const AttemptId& attempt, ExchangeId exchange);
  // Why a query was sent.
  enum class Sending : std::uint8_t { first, again, hedge };
  void count_sent(Connection& connection, Sending sending);
  // What this upstream said was bad; for a failure, another one knew better.
  void note_bad_outcome(std::uint32_t upstream);
  void note_malformed(Connection& connection);
  // An answer that took so long although its question was asked again meanwhile: not the path is
  // slow but the server.
  void note_slow(Connection& connection, Duration latency);
  // The server turns us away, whatever is asked.
  void note_refusal(Connection& connection, std::uint16_t rcode);
  // Asks upstreams that selection passes over something of our own, as many as take() says.
  template <class Take>
  void explore(Take take) {
    if (now_ < explore_due_) return;
    explore_due_ = now_ + explore_interval;
    for (Upstream* upstream : unexplored()) {
      if (take()) probe(*upstream);
    }
  }
  // The server behind this connection has shown OPT, or answers only queries without.
  void note_edns(Connection& connection) { connection.endpoint().edns.on_opt(); }
  void note_no_edns(Connection& connection);
  // Finds the connection unless it is gone.
  Connection* find(ConnectionId id);

  // Sends what this turn produced and destroys what closed in it. Last in a turn.
  void flush();
  // For shutdown: closes everything.
  void close_all();

  Instant next_deadline(bool exchanges_wait) const;
  void on_deadline();

  std::span<const std::unique_ptr<Upstream>> upstreams() const { return upstreams_; }

  // ConnectionEvents
  void on_ready(Connection& connection, const LinkReady& ready) override;
  void on_match(Connection& connection, const Pipeline::Match& match,
                std::span<const std::uint8_t> message) override;
  void on_suspect(Connection& connection) override;
  void on_unsuspected(Connection& connection) override;
  void on_garbled(Connection& connection, const Pipeline::Garbled& garbled) override;
  void on_overdue(Connection& connection, ExchangeId exchange) override;
  void on_closed(Connection& connection, const LinkClosed& closed) override;

 private:
  struct ConnectionPlace {
    Connection* connection = nullptr;
    void reset() { connection = nullptr; }
  };

  // A group as configured; its upstreams stand together in upstreams_.
  struct Group {
    std::string name;
    Selection selection = Selection::fastest;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  // Is any of its upstreams as good as another?
  static bool takes_any(const Group& group) {
    return group.selection != Selection::order && group.selection != Selection::hash;
  }

  // What one group offers for a query.
  struct Offer {
    Connection* proven = nullptr;
    Connection* unproven = nullptr;  // better than waiting, if nobody else has a connection
    bool soon = false;
    bool opening = false;  // one that is not known to fail is being connected to
    bool constrained = false;
    bool may_ask_any = false;
  };
  void rank_group(const Group& group, const Exchange& exchange);
  Offer offer_of(const Group& group, const Exchange& exchange, std::size_t waiting);
  Pick pick_from_groups(const Exchange& exchange, std::size_t waiting);
  bool may_ask_group(const Group& group, const Exchange& exchange) const;
  Connection* usable_connection(const Upstream& upstream, bool on_probation,
                                const Exchange* exchange = nullptr) const;
  bool expect_soon(Upstream& upstream, std::size_t waiting);
  bool spent(const Connection& connection) const;
  Instant rested_at(const Connection& connection) const;
  bool may_carry(const Connection& connection, const Exchange& exchange) const;
  static bool awaits_probe(const Endpoint& endpoint);
  void prepare_next(const Connection& connection);
  void prepare_spare(Endpoint& endpoint);
  void try_failing(const Exchange& exchange, bool fresh);
  bool young(const Connection& connection) const;
  bool avoided(const Upstream& upstream) const;
  Candidate candidate_of(std::uint32_t place) const;
  bool all_known_failing() const;
  std::vector<Upstream*> unexplored();
  void probe(Upstream& upstream);
  void probe(Endpoint& endpoint);
  void probe(Connection& connection);
  void give_up_probes();
  bool wants_probe(const Connection& connection) const;
  void note_recovery(Endpoint& endpoint);
  void note_bad(Endpoint& endpoint);
  void learn_from_end(Connection& connection, const LinkClosed& closed, std::size_t lost);
  void keep_warm(Endpoint& endpoint);
  void close_as_idle_as(const Connection& suspect);
  std::string why(const Upstream& upstream) const;
  bool clients_ask() const { return now_ - last_query_ < retry_interest; }
  Instant upkeep_due() const;
  Instant retry_due(const Endpoint& endpoint, bool network_gone) const;
  void upkeep();
  void retry_one_of_all();
  void retry(Endpoint& endpoint);
  void retire_connections(Endpoint& endpoint);
  void forget_path(Endpoint& endpoint);
  void make_room(Upstream& upstream);
  void open(Endpoint& endpoint);
  void note_failure(Endpoint& endpoint, FailureCause cause, std::string_view reason);
  void note_probe_answer(Connection& connection, std::span<const std::uint8_t> message);
  void note_answer(Connection& connection, const Pipeline::Match& match,
                   std::span<const std::uint8_t> message);
  void report(UpstreamEvent::Kind kind, const Endpoint& endpoint, std::string_view detail = {},
              FailureKind failure = FailureKind::none);
  std::unique_ptr<Upstream> adopt(UpstreamSpec spec, std::vector<std::unique_ptr<Upstream>>& old);
  std::unique_ptr<Endpoint> adopt_endpoint(const EndpointSpec& spec, Upstream& upstream,
                                           std::vector<std::unique_ptr<Upstream>>& old);
  void retire(std::unique_ptr<Endpoint> endpoint);
  void bury();
  template <class Callback>
  void for_each_endpoint(Callback callback) const;
  template <class Callback>
  void for_each_connection(Callback callback) const;

  LinkOpener& opener_;
  BackoffRegistry& backoffs_;
  UpstreamObserver& observer_;
  UpstreamCounters& counters_;
  Random& random_;
  const Instant& now_;
  PoolEvents* events_ = nullptr;

  SlotMap<ConnectionPlace, ConnectionTag> places_;
  std::vector<Group> groups_;
  std::vector<std::unique_ptr<Upstream>> upstreams_;  // in the order of the groups
  std::vector<Candidate> ranked_;                     // the upstreams of the group being looked at
  unsigned hedge_percent_ = 0;
  HealthSpec health_;
  Question probe_question_;
  Instant last_query_ = Instant{} - retry_interest;  // of a client
  Instant explore_due_{};
  Instant outage_retry_due_{};
  struct Probe {
    AttemptId id;
    Instant sent;
  };
  std::deque<Probe> probes_;  // in the order in which they were sent; some are answered
  Upstream departed_;         // whose endpoints are no longer configured
  std::uint32_t next_upstream_id_ = 1;
  bool something_closed_ = false;
  bool closing_all_ = false;
};

template <class Callback>
void Pool::for_each_endpoint(Callback callback) const {
  for (const auto& upstream : upstreams_) {
    for (const auto& endpoint : upstream->endpoints) callback(*endpoint);
  }
  for (const auto& endpoint : departed_.endpoints) callback(*endpoint);
}

template <class Callback>
void Pool::for_each_connection(Callback callback) const {
  for_each_endpoint([&](const Endpoint& endpoint) {
    // By index: a callback may close a connection, which leaves it in place until bury().
    for (std::size_t at = 0; at < endpoint.connections.size(); ++at) {
      callback(*endpoint.connections[at]);
    }
  });
}

}  // namespace sotto
