// One end of a TLS connection over memory: ciphertext in, ciphertext out, plaintext between.
// No socket, no clock but the one inside GnuTLS. RFC 8446, RFC 7858, RFC 8310 (strict profile).
// Test: tests/unit/transport/tls_engine_test.cc (engine against engine, all cuts).
#pragma once

#include <gnutls/gnutls.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "transport/tls_credentials.h"

namespace sotto {

// Why a connection cannot be used.
struct TlsFailure {
  enum class Kind : std::uint8_t {
    none,
    authentication,  // chain, name, pin, ALPN or version: retrying soon is pointless
    protocol,        // alert, garbage or plaintext on the wire
  };
  Kind kind = Kind::none;
  // For the log: what was wrong, which name was expected, which certificate was shown.
  // "certificate has expired (subject CN=dns.example, valid until 2024-01-01); expected name dns.example"
  std::string reason;
};

class TlsEngine {
 public:
  enum class State : std::uint8_t {
    handshaking,  // needs input
    ready,        // verified: data flows
    closed,       // the peer said close_notify, or its stream ended
    failed,       // see failure()
  };

  // A client that will accept only peer. trust, tickets must outlive the engine. Offers ALPN protocol
  // (absence in the answer is accepted, another refused), TLS 1.2 and 1.3, no early data, no
  // renegotiation; resumes with a stored ticket if there is one.
  static std::unique_ptr<TlsEngine> client(std::shared_ptr<const TlsTrust> trust, TlsPeerIdentity peer,
                                           TlsTicketStore& tickets, const char* alpn);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // Room for ciphertext from the peer; valid until the next call. Follow with received().
  std::span<std::uint8_t> input_space(std::size_t at_least);
  void received(std::size_t count);
  void input_ended();  // end of stream

  // Goes on with the handshake as far as the input allows. Call first without any input (client hello)
  // and after every received() until ready. When the handshake completes the peer is verified, on
  // resumption too, before the state becomes ready.
  State handshake();
  State state() const { return state_; }

  // Decrypts into plaintext; 0 when the input holds no more. May change the state to closed or failed.
  // Takes in new tickets. buffer: at least 1 octet; up to 16 kB are returned at once.
  std::size_t read(std::span<std::uint8_t> buffer);

  // Encrypts into the output, in records of at most 16 kB. Only when ready.
  void write(std::span<const std::uint8_t> plaintext);
  void close();  // appends close_notify

  // Ciphertext to be sent; valid until the next call that produces output. Follow with sent().
  std::span<const std::uint8_t> output() const;
  void sent(std::size_t count);

  const TlsFailure& failure() const { return failure_; }
  bool resumed() const;
  // "TLS1.3 ECDHE-X25519 AES-128-GCM", for logs and sotto query; only when ready.
  std::string description() const;

 private:
  // The implementer's part.
};

}  // namespace sotto
