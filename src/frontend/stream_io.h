// DNS on streams towards clients, over TLS or not: pipelined queries, responses in any order,
// bounded in every direction. RFC 7766, RFC 7828, RFC 7858, RFC 9210.
// Test: tests/integration/test_tcp.py, tests/integration/test_dot.py.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/slot_map.h"
#include "forwarder/forwarder.h"
#include "frontend/stream_connection.h"
#include "frontend/stream_counters.h"
#include "frontend/stream_idle.h"
#include "frontend/stream_limits.h"
#include "frontend/stream_listener.h"
#include "transport/loop_io.h"
#include "transport/socket_io.h"

namespace sotto {

// Unsent responses of all connections together. Beyond it those that hold the most are closed until
// there is room for a while: who reads is not to suffer from who does not.
inline constexpr std::size_t unsent_octets_all_max = 128 * 1'024 * 1'024;
inline constexpr std::size_t unsent_octets_all_left = unsent_octets_all_max / 8 * 7;
// After accepting failed for want of descriptors or memory.
inline constexpr Duration accept_pause = std::chrono::milliseconds{100};
// For the PROXY header and the TLS handshake together. Clients give up on a handshake after two to
// five seconds.
inline constexpr Duration client_handshake_timeout = std::chrono::seconds{5};
// A handshake takes a signature, a quarter of a millisecond. While many arrive at once, other
// clients are served after every so many.
inline constexpr int handshake_steps_per_turn = 4;

// What an operator may want to know of single connections.
class StreamEvents {
 public:
  // reason: one printable line.
  virtual void on_stream_failed(StreamTransport transport, const IpAddress& client,
                                StreamFailure cause, const std::string& reason) = 0;

 protected:
  ~StreamEvents() = default;
};

class StreamFrontend final : public ResponseSink {
 public:
  // All outlive the frontend.
  StreamFrontend(Loop& loop, Forwarder& forwarder, StreamCountersByTransport& counters,
                 StreamEvents& events);
  ~StreamFrontend();

  // fd: bound and listening. Before start(), and one that speaks TLS after set_tls().
  void add_listener(UniqueFd fd, StreamListenerSpec spec);
  void set_limits(Duration idle_timeout, std::size_t connections_max, std::size_t per_client_max);
  // For connections whose handshake begins later.
  void set_tls(StreamTls tls) { tls_ = std::move(tls); }
  void start();

  // Accepts and takes no more; connections close when what they asked is answered.
  void stop_receiving();
  void flush();
  std::size_t connections() const { return limits_.connections(); }
  Instant next_deadline() const;
  void on_deadline();

  // ResponseSink
  std::span<std::uint8_t> response_space(const ReplyTo& to, std::uint16_t octets_max) override;
  void response_written(const ReplyTo& to, std::size_t octets) override;

 private:
  struct Listener {
    Listener(Loop& loop, UniqueFd fd, StreamListenerSpec listener_spec)
        : watch(loop, std::move(fd)), spec(std::move(listener_spec)) {}
    Watch watch;
    StreamListenerSpec spec;
    bool waiting = false;  // a handler waits for connections
  };
  struct Connection {
    std::optional<Watch> watch;
    std::optional<StreamConnection> stream;
    StreamTransport transport{};
    IpAddress client;
    Instant since{};  // opening: when it was accepted; open: when the last whole message came
    std::size_t unsent = 0;  // as it is counted in unsent_octets_
    bool opening = false;    // PROXY header or handshake not done: in opening_, else in by_age_
    bool client_known = false;
    bool reading = false;   // a handler waits for input
    bool writing = false;   // a handler waits for room in the socket
    bool overfull = false;  // the client does not read; flush() closes
    bool due = false;       // has something for flush() to do
    ListHook<Connection> by_age;
    StaleId<struct StreamTag> id;

    void reset() {
      watch.reset();
      stream.reset();
      unsent = 0;
      opening = client_known = reading = writing = overfull = due = false;
    }
  };
  using ConnectionId = StaleId<struct StreamTag>;
  using Connections = IntrusiveList<Connection, &Connection::by_age>;

  // stream_accept_io.cc
  void on_acceptable(Listener& listener);
  void accept();
  bool accept_one(Listener& listener);
  void admit(UniqueFd fd, const Listener& listener, const IpAddress& peer);
  bool make_room_for(const IpAddress& client);
  void make_room();
  void close_one_idle();
  bool identify(Connection& connection);
  bool advance_opening(Connection& connection);
  void resume_delayed();

  void wait_for_input(Connection& connection);
  void on_readable(ConnectionId id);
  void on_writable(ConnectionId id);
  void on_resumed(ConnectionId id);
  void read(Connection& connection);
  void serve(Connection& connection);
  std::span<std::uint8_t> scratch();
  void settle(Connection& connection);
  bool send_output(Connection& connection);
  void look_after(Connection& connection);
  void count_unsent(Connection& connection);
  void close_fullest();
  void fail(Connection& connection, StreamFailure cause, const std::string& reason);
  void close_in_order(Connection& connection);
  void close(Connection& connection);
  Duration idle_timeout() const;

  Loop& loop_;
  Forwarder& forwarder_;
  StreamCountersByTransport& counters_;
  StreamEvents& events_;
  StreamLimits limits_;
  StreamTls tls_;
  Duration idle_timeout_ = std::chrono::seconds{10};
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<Listener*> acceptable_;  // somebody knocked in this turn
  Instant accept_again_ = never;
  std::size_t unsent_octets_ = 0;  // of all connections
  bool stopping_ = false;

  SlotMap<Connection, struct StreamTag> connections_;
  Connections opening_;                // by when they were accepted, oldest first
  Connections by_age_;                 // the others by when the last message came, oldest first
  std::vector<ConnectionId> due_;      // for flush()
  std::vector<ConnectionId> delayed_;  // readable, their handshake put off to a later turn
  int handshake_steps_ = 0;            // in this turn

  // One each for all connections, which own none.
  std::vector<std::uint8_t> received_;  // from the socket
  std::vector<std::uint8_t> decrypted_;
  OctetQueue plaintext_;                // to be encrypted
  std::vector<std::uint8_t> response_;  // the one being written
};

}  // namespace sotto
