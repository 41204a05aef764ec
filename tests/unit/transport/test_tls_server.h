// TLS ends that do as the test says, made of GnuTLS alone, so that the engine is tested against
// something that is not itself; and the wire between two ends.
#pragma once

#include <cstdint>
#include <functional>
#include <gnutls/gnutls.h>
#include <span>
#include <string>
#include <utility>
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

// One end, made of GnuTLS alone.
class TestEnd {
 public:
  TestEnd(const TestEnd&) = delete;
  TestEnd& operator=(const TestEnd&) = delete;

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

 protected:
  // flags: GNUTLS_SERVER or GNUTLS_CLIENT.
  TestEnd(unsigned flags, const char* priority, const std::string& alpn);
  ~TestEnd();
  // chain: certificates as shown, its own first, whose key is used.
  void show(const std::vector<const TestIdentity*>& chain);

  gnutls_certificate_credentials_t credentials_ = nullptr;
  gnutls_session_t session_ = nullptr;

 private:
  int result_ = GNUTLS_E_AGAIN;
  Octets input_;
  Octets output_;
};

class TestServer : public TestEnd {
 public:
  TestServer(const std::vector<const TestIdentity*>& chain, const TestServerOptions& options);
};

struct TestClientOptions {
  const char* priority = tls13_priority;
  std::string alpn = "dot";                     // empty: none
  std::string server_name = {};                 // empty: none
  std::vector<const TestIdentity*> chain = {};  // shown when a certificate is asked for
  Octets session = {};                          // to be resumed; empty: none
  unsigned flags = 0;                           // of gnutls_init()
};

// It believes any server.
class TestClient : public TestEnd {
 public:
  explicit TestClient(const TestClientOptions& options);
  // For another client to resume; once read() has taken in what came behind the handshake.
  Octets session_data();
  bool was_shown(const TestIdentity& identity);
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
// … and until the client has read what came behind the handshake.
void run_handshake(TestClient& client, TlsEngine& server, const Cut& cut = whole);

}  // namespace sotto::test
