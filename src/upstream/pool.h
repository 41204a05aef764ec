// The connections of one worker: opens them when queries need them, picks one for each query, and
// gives back what a dying one leaves unanswered. Upstreams are tried in their order.
// Test: tests/unit/upstream/pool_test.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/random.h"
#include "upstream/connection.h"
#include "upstream/exchange.h"
#include "upstream/upstream.h"

namespace sotto {

// One connection carries everything; more are opened only while others are silent or full.
inline constexpr std::size_t connections_per_upstream_max = 8;
// While an upstream takes longer than this to connect, the next one is tried too: longer than a
// handshake across the world.
inline constexpr Duration connect_patience = std::chrono::milliseconds{250};

struct UpstreamCounters {
  // sent + resent = answered + lost + abandoned + those in flight; late ones had been abandoned.
  Counter sent, resent, answered, lost, abandoned, late, mismatched, unasked, malformed;
  Counter connections, handshakes, resumed, failed_transport, failed_authentication, suspected;
};

// What the pool tells the exchanges; of the pool they may only call abandon() and note_no_edns()
// from inside.
class PoolEvents {
 public:
  virtual void on_response(Connection& connection, const Pipeline::Match& match,
                           std::span<const std::uint8_t> message) = 0;
  // The connection died; answered_something: it was of use before that.
  virtual void on_lost(Connection& connection, ExchangeId exchange, bool answered_something) = 0;
  // The connection is silent: ask elsewhere, but an answer from it would still do.
  virtual void on_suspect(Connection& connection, ExchangeId exchange) = 0;
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
  void apply(std::vector<UpstreamSpec> specs);

  struct Pick {
    enum class Verdict : std::uint8_t {
      use,        // connection is set
      wait,       // a path may come
      exhausted,  // no upstream may be asked again for this exchange
    };
    Verdict verdict;
    Connection* connection = nullptr;
    bool soon = false;         // with wait: an upstream that worked until now is being connected to
    bool constrained = false;  // with wait: some upstream may not be asked for this exchange
  };
  // A connection for one more query of this exchange; opens connections as needed. waiting: how
  // many exchanges wait for a connection.
  Pick pick(const Exchange& exchange, bool fresh, std::size_t waiting);

  // Is there an upstream with a usable connection, or one that did not fail when tried last?
  bool usable() const;
  // Did the last attempt at every endpoint end with the peer not being who it should be?
  bool all_failed_authentication() const;

  // connection: from pick().
  PipelineSlotId send(Connection& connection, ExchangeId exchange, const Question& question,
                      const QueryShape& shape, bool anew) {
    return connection.send(exchange, question, shape, anew, random_);
  }
  void abandon(const AttemptId& attempt);
  // The server behind this connection answers only queries without EDNS.
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
  void on_closed(Connection& connection, const LinkClosed& closed) override;

 private:
  struct ConnectionPlace {
    Connection* connection = nullptr;
    void reset() { connection = nullptr; }
  };

  Connection* usable_connection(Upstream& upstream, bool on_probation) const;
  bool expect_soon(Upstream& upstream, bool fresh, std::size_t waiting);
  bool young(const Connection& connection) const;
  bool all_known_failing() const;
  void make_room(Upstream& upstream);
  void open(Endpoint& endpoint);
  void note_failure(Endpoint& endpoint, FailureKind kind, std::string_view reason);
  void note_answer(Connection& connection, const Pipeline::Match& match);
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
  std::vector<std::unique_ptr<Upstream>> upstreams_;
  Upstream departed_;  // whose endpoints are no longer configured
  std::uint32_t next_upstream_id_ = 1;
  bool something_closed_ = false;
};

}  // namespace sotto
