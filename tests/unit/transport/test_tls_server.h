// A TLS server that does as the test says, made of GnuTLS alone, so that the engine is tested
// against something that is not itself; and the wire between two ends.
#pragma once

#include <cstdint>
#include <functional>
#include <gnutls/gnutls.h>
#include <span>
#include <string>
#include <vector>

#include "test_certificates.h"
#include "transport/tls_engine.h"

namespace sotto::test {

inline constexpr const char* tls12_priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
inline constexpr const char* tls13_priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3";

using Octets = std::vector<std::uint8_t>;

// The secret a server seals its tickets with; two servers with one key resume each other's
// sessions.
class TicketKey {
 public:
  TicketKey() { gnutls_session_ticket_key_generate(&key_); }
  ~TicketKey() { gnutls_free(key_.data); }
  TicketKey(const TicketKey&) = delete;
  TicketKey& operator=(const TicketKey&) = delete;
  const gnutls_datum_t* get() const { return &key_; }

 private:
  gnutls_datum_t key_{};
};

struct TestServerOptions {
  const char* priority = tls13_priority;
  std::string alpn = "dot";            // empty: none
  const TicketKey* tickets = nullptr;  // null: no tickets
};

class TestServer {
 public:
  // chain: certificates as shown, the server's own first, whose key is used.
  TestServer(const std::vector<const TestIdentity*>& chain, const TestServerOptions& options);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  void receive(std::span<const std::uint8_t> octets) {
    input_.insert(input_.end(), octets.begin(), octets.end());
  }
  Octets take_output() { return std::exchange(output_, {}); }
  // The handshake's last result; goes on with it if need be.
  int handshake();
  bool ready() const { return result_ == GNUTLS_E_SUCCESS; }
  Octets read();
  void write(std::span<const std::uint8_t> plaintext);
  bool resumed() const { return gnutls_session_is_resumed(session_) != 0; }
  gnutls_session_t session() { return session_; }
  std::string alert() const;  // the last one received

 private:
  gnutls_certificate_credentials_t credentials_ = nullptr;
  gnutls_session_t session_ = nullptr;
  int result_ = GNUTLS_E_AGAIN;
  Octets input_;
  Octets output_;
};

// How many of the waiting octets the wire delivers at once; at least 1.
using Cut = std::function<std::size_t(std::size_t waiting)>;
inline std::size_t whole(std::size_t waiting) {
  return waiting;
}
inline std::size_t single(std::size_t) {
  return 1;
}

void deliver(TlsEngine& engine, std::span<const std::uint8_t> octets);
Octets take_output(TlsEngine& engine);
// Everything that can be decrypted now.
Octets read_all(TlsEngine& engine, std::size_t buffer_octets = 20'000);

// Carries octets both ways until neither end has more to say.
void run_handshake(TlsEngine& client, TestServer& server, const Cut& cut = whole);
void run_handshake(TlsEngine& client, TlsEngine& server, const Cut& cut = whole);

}  // namespace sotto::test
