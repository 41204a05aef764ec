// One connection of a client without its socket: octets in, queries out; responses in, octets out.
// Stacks what the listener asks for: PROXY header, TLS, protocol. No I/O, no clock.
// Test: tests/unit/frontend/stream_connection_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "frontend/proxy_gate.h"
#include "frontend/stream_listener.h"
#include "frontend/stream_protocol.h"
#include "transport/octet_queue.h"
#include "transport/tls_engine.h"

namespace sotto {

// Queries of one connection that wait for an answer; beyond it no more are taken until some have
// one.
inline constexpr std::size_t queries_per_connection_max = 4'096;
// Unsent responses of one connection: taking queries pauses above the first, the client is too slow
// to keep above the second.
inline constexpr std::size_t unsent_octets_pause = 256 * 1'024;
inline constexpr std::size_t unsent_octets_close = 8 * 1'024 * 1'024;

class StreamConnection {
 public:
  enum class Phase : std::uint8_t {
    proxy_header,  // what comes first must be one
    handshake,     // of TLS
    open,          // queries and responses
    failed,        // see failure(): what output() still holds may leave, then it is to be closed
  };
  struct Failure {
    StreamFailure cause{};
    std::string reason;  // one line for the log
  };

  // speaks_for_others: the peer must begin with a PROXY header. spec and tls outlive the
  // connection; tls is looked at when the client's first record has come.
  StreamConnection(const StreamListenerSpec& spec, const StreamTls& tls, bool speaks_for_others);

  // Octets of the client, in order, cut anywhere. scratch: to decrypt into, what it holds on entry
  // and return is of no account; for all connections the same will do.
  void receive(std::span<const std::uint8_t> octets, std::span<std::uint8_t> scratch);
  // Nothing more comes; what was asked is answered.
  void end_input();
  // Takes no further queries.
  void stop();

  Phase phase() const { return phase_; }
  const Failure& failure() const { return failure_; }
  // Whom a PROXY header named.
  const std::optional<SocketAddress>& proxied_client() const { return proxied_client_; }
  // Empty unless a client certificate was verified. Valid as long as this object.
  std::string_view identity() const;
  // With a ticket, once open.
  bool resumed() const { return tls_ != nullptr && tls_->resumed(); }

  // The next query, if the limits admit one; each is to be followed by respond() or drop(). Valid
  // until the next call of next() or receive().
  std::optional<StreamProtocol::Query> next();
  // Is the response to that query still wanted? If not, call drop().
  bool waits(std::uint32_t stream) const { return protocol_->waits(stream); }
  void respond(std::uint32_t stream, std::span<const std::uint8_t> response);
  void drop(std::uint32_t stream);

  // Gathers what is to leave in output(), once that is empty. scratch: empty, and so returned.
  void produce(OctetQueue& scratch);
  std::span<const std::uint8_t> output() const;
  void sent(std::size_t count);
  // Appends to output() what tells the client that this is the end.
  void say_goodbye();

  // Queries without a response yet.
  std::size_t waiting() const { return waiting_; }
  // Octets of responses that have not been sent.
  std::size_t unsent() const;
  bool too_much_unsent() const { return unsent() > unsent_octets_close; }
  // Should the driver wait for the client's octets?
  bool reads() const;
  // Were queries left in the protocol that may go on now?
  bool resumable() const { return held_ && !paused(); }
  // Nothing more will come in or go out. To be asked after produce().
  bool done() const;

 private:
  void pass_header(std::span<const std::uint8_t> octets, std::span<std::uint8_t> scratch);
  void receive_behind_header(std::span<const std::uint8_t> octets, std::span<std::uint8_t> scratch);
  void receive_tls(std::span<const std::uint8_t> octets, std::span<std::uint8_t> scratch);
  bool begin_handshake(std::span<const std::uint8_t>& octets);
  bool finish_handshake();
  void decrypt(std::span<std::uint8_t> scratch);
  void open();
  void fail(StreamFailure cause, std::string reason);
  void fail_as_engine_says();
  bool paused() const;

  const StreamListenerSpec& spec_;
  const StreamTls& tls_settings_;
  std::unique_ptr<ProxyGate> gate_;           // until the first octets are known
  OctetQueue hello_;                          // the client's first record while it is not whole
  std::unique_ptr<TlsEngine> tls_;            // from then on; null: plaintext
  std::unique_ptr<StreamProtocol> protocol_;  // when open
  OctetQueue output_;                         // without TLS
  std::optional<SocketAddress> proxied_client_;
  std::size_t waiting_ = 0;
  Phase phase_;
  bool input_ended_ = false;
  bool stopping_ = false;
  bool held_ = false;       // paused, with queries perhaps left in the protocol
  bool held_back_ = false;  // produce() left responses that the client's flow control holds
  Failure failure_;
};

}  // namespace sotto
