// DNS over TCP towards clients: pipelined queries, responses in any order, bounded in every
// direction. RFC 7766, RFC 9210, RFC 7828. Test: tests/integration/test_tcp.py.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/slot_map.h"
#include "dns/framing.h"
#include "forwarder/forwarder.h"
#include "frontend/tcp_limits.h"
#include "frontend/transport_counters.h"
#include "transport/loop_io.h"
#include "transport/socket_io.h"

namespace sotto {

// Queries of one connection that wait for an answer; beyond it no more are read until some have
// one.
inline constexpr std::size_t queries_per_connection_max = 4'096;
// Unsent responses of one connection: reading pauses above the first, the client is too slow to
// keep above the second.
inline constexpr std::size_t unsent_octets_pause = 256 * 1'024;
inline constexpr std::size_t unsent_octets_close = 8 * 1'024 * 1'024;
// … and of all connections together: whose response comes then is closed.
inline constexpr std::size_t unsent_octets_all_max = 128 * 1'024 * 1'024;
// After accepting failed for want of descriptors or memory.
inline constexpr Duration accept_pause = std::chrono::milliseconds{100};

struct TcpCounters {
  TransportCounters messages;
  Counter accepted;
  Counter rejected;  // beyond a limit
  Counter closed;    // of those accepted, for whatever reason; also …
  Counter closed_idle;
  Counter closed_slow;    // … the client did not read
  Counter accept_failed;  // out of descriptors or memory
};

class TcpFrontend final : public ResponseSink {
 public:
  // loop, forwarder and counters outlive the frontend.
  TcpFrontend(Loop& loop, Forwarder& forwarder, TcpCounters& counters);
  ~TcpFrontend();

  // fd: bound and listening.
  void add_listener(UniqueFd fd);
  void set_limits(Duration idle_timeout, std::size_t connections_max, std::size_t per_client_max);
  void start();

  // Accepts and reads no more; connections close when what they asked is answered.
  void stop_receiving();
  void flush();
  std::size_t connections() const { return limits_.connections(); }
  Instant next_deadline() const;
  void on_deadline();

  // ResponseSink
  std::span<std::uint8_t> response_space(const ReplyTo& to, std::uint16_t octets_max) override;
  void response_written(const ReplyTo& to, std::size_t octets) override;

 private:
  struct Connection {
    std::optional<Watch> watch;
    IpAddress client;
    StreamFramer framer;
    std::vector<std::uint8_t> output;  // framed responses
    std::size_t output_sent = 0;
    std::size_t waiting = 0;   // queries without an answer yet
    Instant last_message{};    // when the last whole message came
    bool reading = false;      // a handler waits for input
    bool writing = false;      // a handler waits for room in the socket
    bool input_ended = false;  // half-closed, or we are stopping
    bool held = false;         // reading paused with messages perhaps left in the framer
    bool overfull = false;     // the client does not read; flush() closes
    bool due = false;          // has something for flush() to do
    ListHook<Connection> by_age;
    StaleId<struct TcpTag> id;

    std::size_t unsent() const { return output.size() - output_sent; }
    void reset() {
      watch.reset();
      framer = StreamFramer{};
      output = {};
      output_sent = waiting = 0;
      reading = writing = input_ended = held = due = overfull = false;
    }
  };
  using ConnectionId = StaleId<struct TcpTag>;
  struct Listener {
    Watch watch;
    bool waiting = false;  // a handler waits for connections
  };

  void on_acceptable(Listener& listener);
  bool accept_one(int listener);
  void admit(UniqueFd fd, const IpAddress& client);
  void wait_for_input(Connection& connection);
  void on_readable(ConnectionId id);
  void on_writable(ConnectionId id);
  void on_resumed(ConnectionId id);
  void serve(Connection& connection);
  bool paused(const Connection& connection) const;
  std::span<std::uint8_t> scratch();
  void settle(Connection& connection);
  bool send_output(Connection& connection);
  bool too_much_unsent(const Connection& connection) const;
  void close(Connection& connection);
  void close_one_idle();

  Loop& loop_;
  Forwarder& forwarder_;
  TcpCounters& counters_;
  TcpLimits limits_;
  Duration idle_timeout_ = std::chrono::seconds{10};
  std::vector<std::unique_ptr<Listener>> listeners_;
  Instant accept_again_ = never;
  std::size_t unsent_octets_ = 0;  // of all connections
  bool stopping_ = false;

  SlotMap<Connection, struct TcpTag> connections_;
  IntrusiveList<Connection, &Connection::by_age> by_age_;  // by last_message, oldest first
  std::vector<ConnectionId> due_;                          // for flush()
  std::vector<std::uint8_t> response_;                     // the one being written
};

}  // namespace sotto
