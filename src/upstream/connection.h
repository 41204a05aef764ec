// One connection to one endpoint of an upstream: when it may carry queries, when it is suspect,
// when it closes. Decides; the link does. RFC 7766 §6.2, RFC 7858 §3.4, RFC 7828. Test:
// tests/unit/upstream/connection_test.cc (every state × event).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "dns/framing.h"
#include "upstream/ids.h"
#include "upstream/link.h"
#include "upstream/pipeline.h"

namespace sotto {

// TCP connect and TLS handshake together; two retransmissions of a lost SYN fit in.
inline constexpr Duration handshake_timeout = std::chrono::milliseconds{2'500};
// A silent connection is closed when nobody can still be waiting for what it carried.
inline constexpr Duration suspect_lifetime = std::chrono::seconds{5};
// How long a connection that gets no new queries may take to answer the old ones.
inline constexpr Duration draining_timeout = std::chrono::seconds{5};
// Wrong answers before a connection is retired.
inline constexpr unsigned mismatches_max = 3;
// A server that says it keeps idle connections for t gets no query after t minus this: one that is
// under way when the server closes would be lost and sent again.
inline constexpr Duration idle_margin = std::chrono::seconds{1};
// A deadline that is noticed so late was slept through: the machine was suspended, and nobody knows
// what has become of its connections.
inline constexpr Duration slept_min = std::chrono::seconds{3};
// A handshake that we are so late for has failed by us, not by the server.
inline constexpr Duration slept_in_handshake_min = std::chrono::seconds{1};

// A server that leaves Nagle's algorithm on keeps what it answers next until what it sent before is
// acknowledged, and our kernel leaves that for 40 ms to the next query. So it is asked to say so at
// once when others are outstanding and nothing has come or gone for this long.
inline constexpr Duration acknowledge_after = std::chrono::milliseconds{1};

// After a silence a connection gets nothing new until what it owes is answered, or for this long:
// some queries are never answered.
inline constexpr Duration owing_max = std::chrono::seconds{2};

class Connection;
struct Endpoint;

// Whom a connection tells. None of these may destroy the connection before the turn ends.
class ConnectionEvents {
 public:
  virtual void on_ready(Connection& connection, const LinkReady& ready) = 0;
  virtual void on_match(Connection& connection, const Pipeline::Match& match,
                        std::span<const std::uint8_t> message) = 0;
  virtual void on_suspect(Connection& connection) = 0;
  // Octets came after all.
  virtual void on_unsuspected(Connection& connection) = 0;
  // Something illegible came, which was this one's answer by all appearances.
  virtual void on_garbled(Connection& connection, const Pipeline::Garbled& garbled) = 0;
  // … which may have been this one's answer: it was asked before, and has waited long enough since.
  virtual void on_overdue(Connection& connection, ExchangeId exchange) = 0;
  // The last event. What still waited is in connection.waiting().
  virtual void on_closed(Connection& connection, const LinkClosed& closed) = 0;

 protected:
  ~ConnectionEvents() = default;
};

class Connection final : public LinkEvents {
 public:
  enum class State : std::uint8_t {
    connecting,   // TCP
    handshaking,  // TLS
    ready,
    draining,  // gets no new queries; closes when the old ones are answered
    closed,
  };

  // endpoint, events and clock_now outlive the connection; clock_now is the current turn's time.
  Connection(ConnectionId id, Endpoint& endpoint, ConnectionEvents& events,
             const Instant& clock_now, Duration idle_timeout);

  void open(LinkOpener& opener, const EndpointSpec& spec);

  ConnectionId id() const { return id_; }
  Endpoint& endpoint() const { return endpoint_; }
  State state() const { return state_; }
  Instant began() const { return began_; }
  bool opening() const { return state_ == State::connecting || state_ == State::handshaking; }
  bool suspect() const { return suspect_since_.has_value(); }
  // May it carry one more query, beside at most so many others?
  bool usable(std::size_t in_flight_max = pipeline_queries_max) const {
    return state_ == State::ready && !suspect() && !pipeline_.full() &&
           pipeline_.outstanding() < in_flight_max && !overslept() && !owes();
  }
  std::uint64_t sent() const { return sent_; }
  // Ready, and nothing was asked yet.
  bool untouched() const { return state_ == State::ready && sent_ == 0; }
  std::uint64_t answered() const { return answered_; }
  // Has it brought an answer that somebody waited for, not only one to a query of our own?
  bool of_use() const { return of_use_; }
  // Queries no other connection had been given before: they tell more than repetitions of slow
  // ones.
  bool asked_anew() const { return asked_anew_; }
  std::size_t outstanding() const { return pipeline_.outstanding(); }
  // Was this query, answered just now, sent and answered without a suspicious silence in between?
  // Only those tell how long answers take.
  bool heard_in_time(Instant sent) const { return heard_in_time_ && sent >= silence_ended_; }
  // Those whose queries were sent before that time, in their order.
  std::vector<ExchangeId> waiting(Instant sent_before = never) {
    return pipeline_.waiting(sent_before);
  }

  // It was ready, and closed before anything was asked.
  bool never_asked() const { return ready_ != Instant{} && sent_ == 0; }
  // Closed for its wrong answers, without ever having given a right one.
  bool only_wrong_answers() const { return answered_ == 0 && mismatches_ >= mismatches_max; }
  // How far it got; the state before it closed, once it has.
  State reached() const { return reached_; }
  // From the beginning to TCP, and from there to TLS; zero while not there.
  Duration connect_time() const {
    return connected_ == Instant{} ? Duration{} : connected_ - began_;
  }
  Duration handshake_time() const { return ready_ == Instant{} ? Duration{} : ready_ - connected_; }
  const LinkReady& link() const { return link_ready_; }
  Instant last_use() const { return last_use_; }
  // When something came last; when it became ready before that.
  Instant last_heard() const { return last_heard_; }
  // Has nothing been heard yet that was asked no earlier than this?
  bool silent_since(Instant asked) const { return unheard_since_ && *unheard_since_ <= asked; }
  // For how long has nothing been heard that was asked before; zero while nothing is awaited.
  Duration silent_for() const { return unheard_since_ ? now_ - *unheard_since_ : Duration{0}; }
  // How long it had been idle when the queries were sent that nothing has been heard since.
  Duration idle_before_silence() const { return suspect() ? idle_before_ : Duration{0}; }

  // Only when usable(). The query leaves with flush().
  // anew: the first send of this exchange. No exchange: a query of our own.
  PipelineSlotId send(ExchangeId exchange, const Question& question, QueryShape shape, bool anew,
                      Random& random);
  // False if nobody waited for this slot any more.
  bool abandon(PipelineSlotId slot);
  // The answer is for another exchange from now on; harmless for a slot that is stale.
  void reassign(PipelineSlotId slot, ExchangeId exchange) { pipeline_.reassign(slot, exchange); }

  // Everything this turn produced goes to the link in one write.
  void flush();

  // edns-tcp-keepalive of a response: units of 100 ms (RFC 7828 §3.3.2).
  void on_keepalive(std::uint16_t timeout);
  // No new queries; closes when the outstanding ones are answered, or after draining_timeout.
  void drain();
  void close();
  // The same, as the path it was on has gone.
  void leave_path();

  // The earliest time on_deadline() has something to do. suspicion_after: LatencyEstimate's.
  Instant next_deadline(Duration suspicion_after) const {
    return std::min(acknowledge_at_, next_decision(suspicion_after));
  }
  void on_deadline(Duration suspicion_after);

  // LinkEvents
  void on_tcp_connected() override;
  void on_link_ready(const LinkReady& ready) override;
  std::span<std::uint8_t> plaintext_space(std::size_t at_least) override;
  void on_plaintext(std::size_t count) override;
  void on_link_closed(const LinkClosed& closed) override;

 private:
  Instant next_decision(Duration suspicion_after) const;
  void receive(std::span<const std::uint8_t> message);
  void note_stray();
  void tell_overdue();
  void flush_bare();
  void close_if_done();
  void fail(FailureKind kind, const char* reason);
  void close_by_us(const LinkClosed& closed);
  bool idle() const { return state_ == State::ready && pipeline_.outstanding() == 0; }
  // Would have been closed or suspected by now, had anybody looked?
  bool overslept() const {
    return idle() ? now_ >= last_use_ + idle_timeout_
                  : unheard_since_ && now_ >= *unheard_since_ + slept_min;
  }
  bool owes() const { return owes_ && now_ - silence_ended_ < owing_max; }
  void become_closed();
  void note_heard(bool whole);

  const ConnectionId id_;
  Endpoint& endpoint_;
  ConnectionEvents& events_;
  const Instant& now_;
  Duration idle_timeout_;

  State state_ = State::connecting;
  State reached_ = State::connecting;
  std::unique_ptr<Link> link_;
  LinkReady link_ready_;
  Pipeline pipeline_;
  StreamFramer framer_;
  std::vector<std::uint8_t> output_;
  // Queries without OPT, which cannot pad themselves; their records do.
  std::vector<std::uint8_t> bare_output_;
  std::size_t bare_padding_block_ = 0;
  Instant acknowledge_at_ = never;  // octets came, others are awaited, nothing left since

  Instant began_;
  Instant connected_{};
  Instant ready_{};
  Instant last_heard_{};
  Instant last_use_;                      // ready, a query sent or an answer received
  std::optional<Instant> unheard_since_;  // see Pipeline::oldest_unheard()
  Duration idle_before_{0};               // … and how long nothing had been asked before it
  std::optional<Instant> stray_since_;    // an answer that could be anybody's came first …
  Instant stray_last_{};                  // … and last
  std::optional<Instant> suspect_since_;
  bool heard_in_time_ = true;
  Instant silence_ended_{};
  // After a silence, until everything sent before its end is answered: a path that was stuck once
  // is often stuck again behind it.
  bool owes_ = false;
  Instant draining_since_{};
  std::uint64_t sent_ = 0;
  bool asked_anew_ = false;
  std::uint64_t answered_ = 0;
  bool of_use_ = false;
  unsigned mismatches_ = 0;  // since the last right answer
};

}  // namespace sotto
