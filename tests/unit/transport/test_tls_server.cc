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

}  // namespace

TestEnd::TestEnd(unsigned flags, const char* priority, const std::string& alpn) {
  check(gnutls_certificate_allocate_credentials(&credentials_));
  check(gnutls_init(&session_, flags | GNUTLS_NONBLOCK));
  check(gnutls_priority_set_direct(session_, priority, nullptr));
  check(gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_));
  if (!alpn.empty()) {
    std::string copy = alpn;
    const gnutls_datum_t protocol = {reinterpret_cast<unsigned char*>(copy.data()),
                                     static_cast<unsigned>(copy.size())};
    check(gnutls_alpn_set_protocols(session_, &protocol, 1, 0));
  }
  gnutls_transport_set_ptr(session_, this);
  gnutls_transport_set_pull_timeout_function(session_, [](gnutls_transport_ptr_t self, unsigned) {
    return static_cast<TestEnd*>(self)->input_.empty() ? 0 : 1;
  });
  gnutls_transport_set_pull_function(
      session_, [](gnutls_transport_ptr_t self, void* buffer, std::size_t size) -> ssize_t {
        auto* end = static_cast<TestEnd*>(self);
        if (end->input_.empty()) {
          gnutls_transport_set_errno(end->session_, EAGAIN);
          return -1;
        }
        const std::size_t count = std::min(size, end->input_.size());
        const auto behind = end->input_.begin() + static_cast<std::ptrdiff_t>(count);
        std::copy(end->input_.begin(), behind, static_cast<std::uint8_t*>(buffer));
        end->input_.erase(end->input_.begin(), behind);
        return static_cast<ssize_t>(count);
      });
  gnutls_transport_set_push_function(
      session_, [](gnutls_transport_ptr_t self, const void* octets, std::size_t size) -> ssize_t {
        auto& output = static_cast<TestEnd*>(self)->output_;
        const auto* begin = static_cast<const std::uint8_t*>(octets);
        output.insert(output.end(), begin, begin + size);
        return static_cast<ssize_t>(size);
      });
}

TestEnd::~TestEnd() {
  gnutls_deinit(session_);
  gnutls_certificate_free_credentials(credentials_);
}

// GnuTLS's usual functions sort a chain and leave out what does not belong; this one does not.
void TestEnd::show(const std::vector<const TestIdentity*>& chain) {
  gnutls_privkey_t key = nullptr;
  check(gnutls_privkey_init(&key));
  check(gnutls_privkey_import_x509(key, chain.front()->key()->get(), GNUTLS_PRIVKEY_IMPORT_COPY));
  std::vector<gnutls_pcert_st> certificates(chain.size());
  for (std::size_t i = 0; i < chain.size(); ++i) {
    check(gnutls_pcert_import_x509(&certificates[i], chain[i]->certificate(), 0));
  }
  // Takes over key and certificates.
  check(gnutls_certificate_set_key(credentials_, nullptr, 0, certificates.data(),
                                   static_cast<int>(certificates.size()), key));
}

TestServer::TestServer(const std::vector<const TestIdentity*>& chain,
                       const TestServerOptions& options)
    : TestEnd(GNUTLS_SERVER, options.priority, options.alpn) {
  show(chain);
  if (options.tickets != nullptr) {
    check(gnutls_session_ticket_enable_server(session_, options.tickets->get()));
  }
}

TestClient::TestClient(const TestClientOptions& options)
    : TestEnd(GNUTLS_CLIENT | options.flags, options.priority, options.alpn) {
  if (!options.chain.empty()) show(options.chain);
  if (!options.server_name.empty()) {
    check(gnutls_server_name_set(session_, GNUTLS_NAME_DNS, options.server_name.data(),
                                 options.server_name.size()));
  }
  if (!options.session.empty()) {
    check(gnutls_session_set_data(session_, options.session.data(), options.session.size()));
  }
}

Octets TestClient::session_data() {
  gnutls_datum_t data{};
  check(gnutls_session_get_data2(session_, &data));
  Octets octets(data.data, data.data + data.size);
  gnutls_free(data.data);
  return octets;
}

bool TestClient::was_shown(const TestIdentity& identity) {
  unsigned count = 0;
  const gnutls_datum_t* chain = gnutls_certificate_get_peers(session_, &count);
  if (chain == nullptr || count == 0) return false;
  gnutls_datum_t expected{};
  check(gnutls_x509_crt_export2(identity.certificate(), GNUTLS_X509_FMT_DER, &expected));
  const bool same = std::equal(chain->data, chain->data + chain->size, expected.data,
                               expected.data + expected.size);
  gnutls_free(expected.data);
  return same;
}

int TestEnd::handshake() {
  if (result_ == GNUTLS_E_AGAIN) {
    result_ = gnutls_handshake(session_);
    if (result_ < 0) gnutls_alert_send_appropriate(session_, result_);
  }
  return result_;
}

Octets TestEnd::read() {
  Octets plaintext;
  std::uint8_t buffer[20'000];
  for (;;) {
    const ssize_t count = gnutls_record_recv(session_, buffer, sizeof buffer);
    if (count == GNUTLS_E_AGAIN && !input_.empty()) continue;  // it was a message of TLS itself
    if (count <= 0) return plaintext;
    plaintext.insert(plaintext.end(), buffer, buffer + count);
  }
}

void TestEnd::write(std::span<const std::uint8_t> plaintext) {
  while (!plaintext.empty()) {
    const ssize_t count = gnutls_record_send(session_, plaintext.data(), plaintext.size());
    check(static_cast<int>(count));
    plaintext = plaintext.subspan(static_cast<std::size_t>(count));
  }
}

std::string TestEnd::alert() const {
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

void run_handshake(TestClient& client, TlsEngine& server, const Cut& cut) {
  client.handshake();
  Octets to_server = client.take_output();
  Octets to_client;
  while (!to_server.empty() || !to_client.empty()) {
    if (!to_server.empty()) {
      const auto count = static_cast<std::ptrdiff_t>(cut(to_server.size()));
      deliver(server, std::span(to_server).first(static_cast<std::size_t>(count)));
      to_server.erase(to_server.begin(), to_server.begin() + count);
      server.handshake();
      const Octets more = take_output(server);
      to_client.insert(to_client.end(), more.begin(), more.end());
    }
    if (!to_client.empty()) {
      const auto count = static_cast<std::ptrdiff_t>(cut(to_client.size()));
      client.receive(std::span(to_client).first(static_cast<std::size_t>(count)));
      to_client.erase(to_client.begin(), to_client.begin() + count);
      client.handshake();
      const Octets more = client.take_output();
      to_server.insert(to_server.end(), more.begin(), more.end());
    }
  }
  if (client.ready()) client.read();
}

}  // namespace sotto::test
