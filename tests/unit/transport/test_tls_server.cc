#include "test_tls_server.h"

#include <algorithm>
#include <cerrno>
#include <gnutls/abstract.h>
#include <stdexcept>

namespace sotto::test {

namespace {

void check(int error) {
  if (error < 0) throw std::runtime_error(gnutls_strerror(error));
}

// GnuTLS's usual functions sort a chain and leave out what does not belong; this one does not.
void show(gnutls_certificate_credentials_t credentials,
          const std::vector<const TestIdentity*>& chain) {
  gnutls_privkey_t key = nullptr;
  check(gnutls_privkey_init(&key));
  check(gnutls_privkey_import_x509(key, chain.front()->key()->get(), GNUTLS_PRIVKEY_IMPORT_COPY));
  std::vector<gnutls_pcert_st> certificates(chain.size());
  for (std::size_t i = 0; i < chain.size(); ++i) {
    check(gnutls_pcert_import_x509(&certificates[i], chain[i]->certificate(), 0));
  }
  // Takes over key and certificates.
  check(gnutls_certificate_set_key(credentials, nullptr, 0, certificates.data(),
                                   static_cast<int>(certificates.size()), key));
}

}  // namespace

TestServer::TestServer(const std::vector<const TestIdentity*>& chain,
                       const TestServerOptions& options) {
  check(gnutls_certificate_allocate_credentials(&credentials_));
  show(credentials_, chain);
  check(gnutls_init(&session_, GNUTLS_SERVER | GNUTLS_NONBLOCK));
  check(gnutls_priority_set_direct(session_, options.priority, nullptr));
  check(gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_));
  if (!options.alpn.empty()) {
    std::string alpn = options.alpn;
    const gnutls_datum_t protocol = {reinterpret_cast<unsigned char*>(alpn.data()),
                                     static_cast<unsigned>(alpn.size())};
    check(gnutls_alpn_set_protocols(session_, &protocol, 1, 0));
  }
  if (options.tickets != nullptr) {
    check(gnutls_session_ticket_enable_server(session_, options.tickets->get()));
  }
  gnutls_transport_set_ptr(session_, this);
  gnutls_transport_set_pull_timeout_function(session_, [](gnutls_transport_ptr_t self, unsigned) {
    return static_cast<TestServer*>(self)->input_.empty() ? 0 : 1;
  });
  gnutls_transport_set_pull_function(
      session_, [](gnutls_transport_ptr_t self, void* buffer, std::size_t size) -> ssize_t {
        auto* server = static_cast<TestServer*>(self);
        if (server->input_.empty()) {
          gnutls_transport_set_errno(server->session_, EAGAIN);
          return -1;
        }
        const std::size_t count = std::min(size, server->input_.size());
        const auto end = server->input_.begin() + static_cast<std::ptrdiff_t>(count);
        std::copy(server->input_.begin(), end, static_cast<std::uint8_t*>(buffer));
        server->input_.erase(server->input_.begin(), end);
        return static_cast<ssize_t>(count);
      });
  gnutls_transport_set_push_function(
      session_, [](gnutls_transport_ptr_t self, const void* octets, std::size_t size) -> ssize_t {
        auto& output = static_cast<TestServer*>(self)->output_;
        const auto* begin = static_cast<const std::uint8_t*>(octets);
        output.insert(output.end(), begin, begin + size);
        return static_cast<ssize_t>(size);
      });
}

TestServer::~TestServer() {
  gnutls_deinit(session_);
  gnutls_certificate_free_credentials(credentials_);
}

int TestServer::handshake() {
  if (result_ == GNUTLS_E_AGAIN) {
    result_ = gnutls_handshake(session_);
    if (result_ < 0) gnutls_alert_send_appropriate(session_, result_);
  }
  return result_;
}

Octets TestServer::read() {
  Octets plaintext;
  std::uint8_t buffer[20'000];
  for (;;) {
    const ssize_t count = gnutls_record_recv(session_, buffer, sizeof buffer);
    if (count == GNUTLS_E_AGAIN && !input_.empty()) continue;  // it was a message of TLS itself
    if (count <= 0) return plaintext;
    plaintext.insert(plaintext.end(), buffer, buffer + count);
  }
}

void TestServer::write(std::span<const std::uint8_t> plaintext) {
  while (!plaintext.empty()) {
    const ssize_t count = gnutls_record_send(session_, plaintext.data(), plaintext.size());
    check(static_cast<int>(count));
    plaintext = plaintext.subspan(static_cast<std::size_t>(count));
  }
}

std::string TestServer::alert() const {
  const char* name = gnutls_alert_get_name(gnutls_alert_get(session_));
  return name != nullptr ? name : "";
}

void deliver(TlsEngine& engine, std::span<const std::uint8_t> octets) {
  if (octets.empty()) return;
  std::ranges::copy(octets, engine.input_space(octets.size()).begin());
  engine.received(octets.size());
}

Octets take_output(TlsEngine& engine) {
  Octets octets(engine.output().begin(), engine.output().end());
  engine.sent(octets.size());
  return octets;
}

Octets read_all(TlsEngine& engine, std::size_t buffer_octets) {
  Octets plaintext;
  Octets buffer(buffer_octets);
  while (const std::size_t count = engine.read(buffer)) {
    plaintext.insert(plaintext.end(), buffer.begin(),
                     buffer.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return plaintext;
}

void run_handshake(TlsEngine& client, TestServer& server, const Cut& cut) {
  client.handshake();
  Octets to_server = take_output(client);
  Octets to_client;
  while (!to_server.empty() || !to_client.empty()) {
    if (!to_server.empty()) {
      const auto count = static_cast<std::ptrdiff_t>(cut(to_server.size()));
      server.receive(std::span(to_server).first(static_cast<std::size_t>(count)));
      to_server.erase(to_server.begin(), to_server.begin() + count);
      server.handshake();
      const Octets more = server.take_output();
      to_client.insert(to_client.end(), more.begin(), more.end());
    }
    if (!to_client.empty()) {
      const auto count = static_cast<std::ptrdiff_t>(cut(to_client.size()));
      deliver(client, std::span(to_client).first(static_cast<std::size_t>(count)));
      to_client.erase(to_client.begin(), to_client.begin() + count);
      client.handshake();
      const Octets more = take_output(client);
      to_server.insert(to_server.end(), more.begin(), more.end());
    }
  }
  if (server.ready()) server.read();  // takes in an alert, if one came
}

void run_handshake(TlsEngine& client, TlsEngine& server, const Cut& cut) {
  client.handshake();
  for (bool moved = true; moved;) {
    moved = false;
    for (auto [from, to] : {std::pair{&client, &server}, std::pair{&server, &client}}) {
      if (from->output().empty()) continue;
      const std::size_t count = cut(from->output().size());
      deliver(*to, from->output().first(count));
      from->sent(count);
      to->handshake();
      moved = true;
    }
  }
}

}  // namespace sotto::test
