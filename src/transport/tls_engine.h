// One end of a TLS connection over memory: ciphertext in, ciphertext out, plaintext between.
// No socket, no clock but the one inside GnuTLS. RFC 8446, RFC 7858, RFC 8310 (strict profile).
// Test: tests/unit/transport/tls_engine_test.cc (engine against engine, all cuts).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <gnutls/gnutls.h>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transport/octet_queue.h"
#include "transport/tls_credentials.h"
#include "transport/tls_server_credentials.h"

namespace sotto {

// Why a connection cannot be used.
struct TlsFailure {
  enum class Kind : std::uint8_t {
    none,
    authentication,  // chain, name, pin or ALPN: retrying soon is pointless
    // Alert, garbage, plaintext, end of stream, or no common version: nobody has shown who they
    // are, so the next attempt may meet someone else.
    protocol,
  };
  Kind kind = Kind::none;
  // For the log: what was wrong, which name was expected, which certificate was shown.
  // One line of printable ASCII, whatever the peer sent:
  // certificate has expired (subject "CN=dns.example", issuer "CN=Root", valid 2023-01-01 to
  // 2024-01-01); expected name dns.example
  std::string reason;
};

// How a listener does TLS.
struct TlsServerSettings {
  std::shared_ptr<const TlsServerCredentials> credentials;
  // Authorities of client certificates; null: clients are not asked for any.
  std::shared_ptr<const TlsTrust> client_trust;
  bool client_certificate_required = true;  // with client_trust; false: a client may have none
};

// How many octets of plaintext, which is not empty, go into the next record: the first message of
// what is spoken.
using RecordCut = std::size_t (*)(std::span<const std::uint8_t> plaintext);
inline std::size_t whole_record(std::span<const std::uint8_t> plaintext) {
  return plaintext.size();
}

class TlsEngine {
 public:
  enum class State : std::uint8_t {
    handshaking,  // needs input
    ready,        // verified: data flows
    closed,       // the peer said close_notify, or its stream ended
    failed,       // see failure()
  };

  // A client that will accept only peer. trust, tickets must outlive the engine. Offers ALPN
  // protocol (absence in the answer is accepted, another refused), TLS 1.2 and 1.3, no early data,
  // no renegotiation; resumes with a stored ticket if there is one.
  static std::unique_ptr<TlsEngine> client(std::shared_ptr<const TlsTrust> trust,
                                           TlsPeerIdentity peer, TlsTicketStore& tickets,
                                           const char* alpn);
  // A server: selects the first of its ALPN protocols that the client offers, refuses a client that
  // offers others only, and accepts one that offers none. Gives out session tickets; those of
  // listeners with other settings for client certificates are not accepted.
  static std::unique_ptr<TlsEngine> server(TlsServerSettings settings,
                                           const std::vector<std::string>& alpn);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // Room for ciphertext from the peer; valid until the next call. Follow with received().
  std::span<std::uint8_t> input_space(std::size_t at_least);
  void received(std::size_t count);
  void input_ended();  // end of stream

  // Goes on with the handshake as far as the input allows. Call first without any input (client
  // hello) and after every received() until ready. When the handshake completes the peer is
  // verified, on resumption too, before the state becomes ready. When it fails there may be an
  // alert in the output.
  State handshake();
  State state() const { return state_; }

  // Decrypts into buffer, which has room for at least one octet, as many records as fit; 0 when the
  // input holds no more. Takes in new tickets. May change the state to closed or failed; octets
  // returned by that call came before the change and are good. Call until it returns 0 once the
  // state is ready, too: data may have arrived together with the end of the handshake.
  std::size_t read(std::span<std::uint8_t> buffer);

  // Encrypts into the output, in records that end where cut says, and of at most 16 kB. Only when
  // ready or closed: a peer that said close_notify may still be answered (RFC 8446 §6.1). When
  // failed, or after close(), nothing leaves.
  void write(std::span<const std::uint8_t> plaintext, RecordCut cut = whole_record);
  // The same in one record that looks as if it held padding octets more (RFC 8446 §5.4); before TLS
  // 1.3 there is nothing to pad with. Both together at most 16 kB.
  void write_padded(std::span<const std::uint8_t> plaintext, std::size_t padding);
  void close();  // appends close_notify

  // Ciphertext to be sent; valid until the next call that produces output. Follow with sent().
  std::span<const std::uint8_t> output() const;
  void sent(std::size_t count);

  const TlsFailure& failure() const { return failure_; }
  bool resumed() const;
  // What both ends speak by ALPN; empty if the client did not say. Valid while the engine lives.
  std::string_view alpn() const;
  // Of a client whose certificate was verified, see ClientVerdict; else empty.
  const std::string& client_identity() const { return client_identity_; }
  // Of a server, null on the client side.
  const TlsServerCredentials* server_credentials() const { return server_.credentials.get(); }
  // Of the peer's own certificate, after a resumed handshake too; nothing if it showed none.
  std::optional<std::chrono::system_clock::time_point> certificate_expires() const;
  // "TLS1.3 ECDHE-X25519 AES-128-GCM", for logs and sotto query; only when ready.
  std::string description() const;

 private:
  explicit TlsEngine(unsigned flags);
  void set_alpn(const std::vector<std::string>& protocols, unsigned flags);
  void enable_tickets();
  std::size_t dataless_octets_limit() const;
  void check_first_octet();
  void finish_handshake();
  bool accept_server();
  bool accept_client();
  void send_tickets();
  void refuse(gnutls_alert_description_t alert, std::string reason);
  void store_ticket();
  void stop_reading(int error);
  bool is_end_of_stream(int error) const;
  bool write_records(std::span<const std::uint8_t> plaintext);
  void fail(TlsFailure::Kind kind, std::string reason);
  void fail_with(int error);

  // Called by GnuTLS.
  static ssize_t pull(gnutls_transport_ptr_t engine, void* buffer, std::size_t size);
  static int pull_timeout(gnutls_transport_ptr_t engine, unsigned milliseconds);
  static ssize_t push(gnutls_transport_ptr_t engine, const void* octets, std::size_t size);
  static int on_ticket(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t* message);

  gnutls_session_t session_ = nullptr;
  State state_ = State::handshaking;
  bool input_ended_ = false;
  bool first_octet_seen_ = false;
  std::size_t dataless_octets_ = 0;  // taken from the peer since it sent data, or began
  bool ticket_offered_ = false;
  bool close_sent_ = false;
  OctetQueue input_;   // ciphertext
  OctetQueue output_;  // ciphertext
  TlsFailure failure_;
  TlsPeerIdentity peer_;
  TlsTicketStore* tickets_ = nullptr;      // null on the server side
  std::shared_ptr<const TlsTrust> trust_;  // null on the server side
  TlsServerSettings server_;               // empty on the client side
  std::string client_identity_;
};

}  // namespace sotto
