#include "transport/tls_engine.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <new>

#include "base/last_words.h"
#include "transport/tls_chain.h"
#include "transport/tls_client_verify.h"
#include "transport/tls_gnutls.h"
#include "transport/tls_reason.h"
#include "transport/tls_verify.h"

namespace sotto {

namespace {

// What a record may be longer than its plaintext: header 5, TLS 1.2 nonce 8, tag 16, inner type 1.
constexpr std::size_t record_overhead_octets_max = 32;
// Plaintext of a record that is rather short: DNS messages are longer, as a rule.
constexpr std::size_t record_plaintext_octets_short = 64;

// GnuTLS keeps a message of any length until it is whole, from anybody. Hellos have some 2 kB, 10
// kB with a ticket that holds a chain of certificates; chains have 2 to 10 kB.
constexpr std::size_t handshake_octets_max = 65'536;
constexpr std::size_t handshake_octets_without_chain_max = 32'768;
// The same afterwards, when only tickets and key updates come: of those that a server sends at once
// each may be as long as a hello. Records without data count too.
constexpr std::size_t dataless_octets_max = 65'536;

// A client may open two connections with what it got on the first.
constexpr unsigned tickets_of_full_handshake = 2;

const std::uint8_t* as_octets(const void* pointer) {
  return static_cast<const std::uint8_t*>(pointer);
}

// RFC 6066 §3: host names without the final dot, never literal addresses. Empty: none.
std::string server_name(const TlsPeerIdentity& peer) {
  if (peer.auth_name.empty() || IpAddress::parse(peer.auth_name)) return {};
  return peer.auth_name;
}

}  // namespace

TlsEngine::TlsEngine(unsigned flags) {
  if (gnutls_init(&session_, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
    throw std::bad_alloc();
  }
  gnutls_session_set_ptr(session_, this);
  gnutls_transport_set_ptr(session_, this);
  gnutls_transport_set_pull_function(session_, guarded<&TlsEngine::pull, -1>);
  gnutls_transport_set_pull_timeout_function(session_, guarded<&TlsEngine::pull_timeout, -1>);
  gnutls_transport_set_push_function(session_, guarded<&TlsEngine::push, -1>);
  gnutls_handshake_set_timeout(session_, GNUTLS_INDEFINITE_TIMEOUT);  // deadlines are the driver's
}

TlsEngine::~TlsEngine() {
  gnutls_deinit(session_);
}

std::unique_ptr<TlsEngine> TlsEngine::client(std::shared_ptr<const TlsTrust> trust,
                                             TlsPeerIdentity peer, TlsTicketStore& tickets,
                                             const char* alpn) {
  std::unique_ptr<TlsEngine> engine(new TlsEngine(GNUTLS_CLIENT));
  engine->trust_ = std::move(trust);
  engine->tickets_ = &tickets;
  engine->peer_ = std::move(peer);
  if (engine->peer_.auth_name.ends_with('.')) engine->peer_.auth_name.pop_back();

  gnutls_session_t session = engine->session_;
  const TlsTrust::Credentials& credentials = *engine->trust_->credentials_;
  gnutls_priority_set(session, credentials.priority.get());
  gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials.credentials.get());
  // On the client side "mandatory" means: if the server selects anything, it must be ours.
  engine->set_alpn({alpn}, GNUTLS_ALPN_MANDATORY);
  if (const std::string name = server_name(engine->peer_); !name.empty()) {
    gnutls_server_name_set(session, GNUTLS_NAME_DNS, name.data(), name.size());
  }
  gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET, GNUTLS_HOOK_POST,
                                     guarded<&TlsEngine::on_ticket, GNUTLS_E_MEMORY_ERROR>);
  if (const auto ticket = tickets.take(engine->peer_)) {
    // What GnuTLS cannot use, an expired session say, leads to a full handshake.
    engine->ticket_offered_ = gnutls_session_set_data(session, ticket->data(), ticket->size()) >= 0;
  }
  return engine;
}

std::unique_ptr<TlsEngine> TlsEngine::server(TlsServerSettings settings,
                                             const std::vector<std::string>& alpn) {
  std::unique_ptr<TlsEngine> engine(new TlsEngine(GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET));
  engine->server_ = std::move(settings);
  gnutls_session_t session = engine->session_;
  const TlsServerCredentials::Credentials& shown = engine->server_.credentials->gnutls();
  gnutls_priority_set(session, shown.priority.get());
  gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, shown.credentials.get());
  // Whether one is required is decided when the handshake is over, as after a resumed one.
  const bool asked = engine->server_.client_trust != nullptr;
  gnutls_certificate_server_set_request(session, asked ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
  engine->enable_tickets();
  engine->set_alpn(alpn, GNUTLS_ALPN_SERVER_PRECEDENCE | GNUTLS_ALPN_MANDATORY);
  return engine;
}

// A ticket holds the client's certificate or that it had none, and what was asked for when it was
// given. So it is of use only where the same is asked for: elsewhere the handshake is a full one.
void TlsEngine::enable_tickets() {
  const TlsTicketKey& ticket_key = server_.credentials->ticket_key();
  TlsTicketKey::Octets octets = ticket_key.octets();
  if (server_.client_trust != nullptr) {
    octets = ticket_key.derived((server_.client_certificate_required ? "required " : "optional ") +
                                server_.client_trust->fingerprint());
  }
  const gnutls_datum_t key = {octets.data(), static_cast<unsigned>(octets.size())};
  gnutls_session_ticket_enable_server(session_, &key);
  gnutls_memset(octets.data(), 0, octets.size());
}

void TlsEngine::set_alpn(const std::vector<std::string>& protocols, unsigned flags) {
  std::vector<gnutls_datum_t> list;
  for (const std::string& protocol : protocols) {
    auto* octets = const_cast<std::uint8_t*>(as_octets(protocol.data()));
    list.push_back({octets, static_cast<unsigned>(protocol.size())});
  }
  if (list.empty()) return;
  gnutls_alpn_set_protocols(session_, list.data(), static_cast<unsigned>(list.size()), flags);
}

std::span<std::uint8_t> TlsEngine::input_space(std::size_t at_least) {
  return input_.space(at_least);
}

void TlsEngine::received(std::size_t count) {
  input_.commit(count);
}

void TlsEngine::input_ended() {
  input_ended_ = true;
}

std::span<const std::uint8_t> TlsEngine::output() const {
  return output_.octets();
}

void TlsEngine::sent(std::size_t count) {
  output_.consume(count);
}

TlsEngine::State TlsEngine::handshake() {
  if (state_ == State::handshaking) check_first_octet();
  if (state_ != State::handshaking) return state_;
  int error = 0;
  bool again = true;
  while (again) {  // each turn but the last takes octets from the input, so this ends
    const std::size_t waiting = input_.size();
    error = gnutls_handshake(session_);
    // Also said when a record holds a part of a message only, with more records behind it.
    const bool took_a_part = error == GNUTLS_E_AGAIN && !input_.empty() && input_.size() < waiting;
    again =
        took_a_part || error == GNUTLS_E_INTERRUPTED || error == GNUTLS_E_WARNING_ALERT_RECEIVED;
  }
  if (dataless_octets_ > dataless_octets_limit()) {
    gnutls_alert_send(session_, GNUTLS_AL_FATAL, GNUTLS_A_RECORD_OVERFLOW);
    fail(TlsFailure::Kind::protocol, "the handshake of the peer is too long");
  } else if (error == GNUTLS_E_SUCCESS) {
    finish_handshake();
  } else if (error != GNUTLS_E_AGAIN) {
    fail_with(is_end_of_stream(error) ? GNUTLS_E_PREMATURE_TERMINATION : error);
  }
  return state_;
}

std::size_t TlsEngine::dataless_octets_limit() const {
  if (state_ != State::handshaking) return dataless_octets_max;
  const bool chain = trust_ != nullptr || server_.client_trust != nullptr;
  return chain ? handshake_octets_max : handshake_octets_without_chain_max;
}

// Plaintext and captive portals are told apart from broken TLS by the first octet they send.
void TlsEngine::check_first_octet() {
  if (first_octet_seen_ || input_.empty()) return;
  first_octet_seen_ = true;
  if (starts_like_tls(input_.octets().front())) return;
  fail(TlsFailure::Kind::protocol, not_tls_reason(input_.octets()));
}

void TlsEngine::finish_handshake() {
  const bool accepted = trust_ != nullptr ? accept_server() : accept_client();
  if (!accepted) return;
  state_ = State::ready;
  dataless_octets_ = 0;
  const bool tls13 = gnutls_protocol_get_version(session_) == GNUTLS_TLS1_3;
  // TLS 1.2 sends its ticket inside the handshake, TLS 1.3 behind it: see on_ticket().
  if (tickets_ != nullptr && !tls13) store_ticket();
  if (tickets_ == nullptr && tls13) send_tickets();
}

bool TlsEngine::accept_server() {
  std::string reason = verify_peer(session_, trust_->credentials_->list.get(), peer_);
  if (!reason.empty()) refuse(GNUTLS_A_BAD_CERTIFICATE, std::move(reason));
  return state_ != State::failed;
}

bool TlsEngine::accept_client() {
  if (server_.client_trust == nullptr) return true;
  ClientVerdict verdict = verify_client(session_, server_.client_trust->credentials_->list.get(),
                                        server_.client_certificate_required);
  client_identity_ = std::move(verdict.identity);
  if (!verdict.refusal.empty()) refuse(verdict.alert, std::move(verdict.refusal));
  return state_ != State::failed;
}

void TlsEngine::refuse(gnutls_alert_description_t alert, std::string reason) {
  gnutls_alert_send(session_, GNUTLS_AL_FATAL, alert);
  if (resumed()) reason += " (resumed session)";
  fail(TlsFailure::Kind::authentication, std::move(reason));
}

// Behind the check of the client, unlike those that GnuTLS sends by itself, and one to a client
// that used one up.
void TlsEngine::send_tickets() {
  gnutls_session_ticket_send(session_, resumed() ? 1 : tickets_of_full_handshake, 0);
}

void TlsEngine::store_ticket() {
  // Before a ticket has come GnuTLS hands out a dummy.
  const bool ticket = (gnutls_session_get_flags(session_) & GNUTLS_SFLAGS_SESSION_TICKET) != 0;
  if (!ticket && !resumed()) return;
  GnutlsDatum session;
  if (gnutls_session_get_data2(session_, session.out()) < 0) return;
  tickets_->put(peer_, {session.data(), session.data() + session.size()});
}

int TlsEngine::on_ticket(gnutls_session_t session, unsigned, unsigned, unsigned incoming,
                         const gnutls_datum_t*) {
  auto* engine = static_cast<TlsEngine*>(gnutls_session_get_ptr(session));
  // In TLS 1.2 this comes before the peer is verified; finish_handshake() stores that ticket.
  if (incoming != 0 && engine->state_ == State::ready) engine->store_ticket();
  return 0;
}

std::size_t TlsEngine::read(std::span<std::uint8_t> buffer) {
  assert(!buffer.empty());
  std::size_t count = 0;
  // Each turn takes octets from the input or from a record that is partly read, or leaves.
  while (state_ == State::ready && count < buffer.size()) {
    if (input_.empty() && !input_ended_ && gnutls_record_check_pending(session_) == 0) break;
    const std::size_t waiting = input_.size();
    const ssize_t result =
        gnutls_record_recv(session_, buffer.data() + count, buffer.size() - count);
    if (result > 0) {
      count += static_cast<std::size_t>(result);
      dataless_octets_ = 0;
    } else if (dataless_octets_ > dataless_octets_limit()) {
      gnutls_alert_send(session_, GNUTLS_AL_FATAL, GNUTLS_A_RECORD_OVERFLOW);
      fail(TlsFailure::Kind::protocol, "the peer sends too much that is no data");
    } else if (result == GNUTLS_E_AGAIN) {
      // Also said after a ticket or a key update, with more records behind it.
      if (input_.size() == waiting) break;
    } else if (result != GNUTLS_E_INTERRUPTED && result != GNUTLS_E_WARNING_ALERT_RECEIVED) {
      stop_reading(static_cast<int>(result));
    }
  }
  return count;
}

// error: 0 after close_notify. A stream that ends without it is closed as well: DNS messages say
// their own length, so a cut one is noticed (RFC 7766 §8).
void TlsEngine::stop_reading(int error) {
  if (error == 0 || is_end_of_stream(error)) {
    state_ = State::closed;
    return;
  }
  if (error == GNUTLS_E_REHANDSHAKE) {
    gnutls_alert_send(session_, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
  }
  fail_with(error);
}

// GnuTLS calls the end of the stream inside a record a record of the wrong length.
bool TlsEngine::is_end_of_stream(int error) const {
  if (error == GNUTLS_E_PREMATURE_TERMINATION || error == GNUTLS_E_SESSION_EOF) return true;
  return error == GNUTLS_E_UNEXPECTED_PACKET_LENGTH && input_ended_ && input_.empty();
}

void TlsEngine::write(std::span<const std::uint8_t> plaintext, RecordCut cut) {
  assert(state_ != State::handshaking && "nothing may be written before the peer is verified");
  if (state_ == State::failed || close_sent_) return;
  const std::size_t records = plaintext.size() / record_plaintext_octets_short + 1;
  output_.space(plaintext.size() + records * record_overhead_octets_max);
  while (!plaintext.empty()) {
    const std::size_t octets = cut(plaintext);
    if (!write_records(plaintext.first(octets))) return;
    plaintext = plaintext.subspan(octets);
  }
}

// In one record, if it fits. False: failed.
bool TlsEngine::write_records(std::span<const std::uint8_t> plaintext) {
  while (!plaintext.empty()) {
    const ssize_t result = gnutls_record_send(session_, plaintext.data(), plaintext.size());
    if (result == GNUTLS_E_INTERRUPTED) continue;
    if (result <= 0) {
      fail_with(static_cast<int>(result));
      return false;
    }
    plaintext = plaintext.subspan(static_cast<std::size_t>(result));
  }
  return true;
}

void TlsEngine::write_padded(std::span<const std::uint8_t> plaintext, std::size_t padding) {
  assert(state_ != State::handshaking && "nothing may be written before the peer is verified");
  if (gnutls_record_can_use_length_hiding(session_) == 0) return write(plaintext);
  if (state_ == State::failed || close_sent_) return;
  output_.space(plaintext.size() + padding + record_overhead_octets_max);
  ssize_t result = GNUTLS_E_INTERRUPTED;
  while (result == GNUTLS_E_INTERRUPTED) {
    result = gnutls_record_send2(session_, plaintext.data(), plaintext.size(), padding, 0);
  }
  if (result <= 0) fail_with(static_cast<int>(result));
}

void TlsEngine::close() {
  if (close_sent_ || (state_ != State::ready && state_ != State::closed)) return;
  close_sent_ = true;
  gnutls_bye(session_, GNUTLS_SHUT_WR);
}

bool TlsEngine::resumed() const {
  return gnutls_session_is_resumed(session_) != 0;
}

std::optional<std::chrono::system_clock::time_point> TlsEngine::certificate_expires() const {
  return peer_certificate_expires(session_);
}

std::string_view TlsEngine::alpn() const {
  gnutls_datum_t selected{};
  if (gnutls_alpn_get_selected_protocol(session_, &selected) < 0) return {};
  return {reinterpret_cast<const char*>(selected.data), selected.size};
}

std::string TlsEngine::description() const {
  assert(state_ != State::handshaking);
  std::string text = gnutls_protocol_get_name(gnutls_protocol_get_version(session_));
  if (const char* group = gnutls_group_get_name(gnutls_group_get(session_)); group != nullptr) {
    text += std::string(" ECDHE-") + group;
  }
  return text + " " + gnutls_cipher_get_name(gnutls_cipher_get(session_));
}

void TlsEngine::fail_with(int error) {
  gnutls_alert_send_appropriate(session_, error);
  if (error == GNUTLS_E_NO_APPLICATION_PROTOCOL && trust_ == nullptr) {
    return fail(TlsFailure::Kind::protocol,
                "the client offers no application protocol (ALPN) that is served here");
  }
  if (error == GNUTLS_E_NO_APPLICATION_PROTOCOL) {
    return fail(TlsFailure::Kind::authentication,
                "the peer selected an application protocol (ALPN) that we did not offer; expected "
                "name " +
                    escape_for_log(peer_.expected(), name_octets_logged_max));
  }
  fail(TlsFailure::Kind::protocol,
       protocol_failure_reason(session_, error, state_ == State::handshaking));
}

void TlsEngine::fail(TlsFailure::Kind kind, std::string reason) {
  // A session that led here is not tried again: the next handshake is a full one.
  if (tickets_ != nullptr && state_ == State::handshaking &&
      (ticket_offered_ || kind == TlsFailure::Kind::authentication)) {
    tickets_->forget(peer_);
  }
  state_ = State::failed;
  failure_ = {kind, std::move(reason)};
}

ssize_t TlsEngine::pull(gnutls_transport_ptr_t pointer, void* buffer, std::size_t size) {
  auto* engine = static_cast<TlsEngine*>(pointer);
  if (engine->input_.empty()) {
    if (engine->input_ended_) return 0;
    gnutls_transport_set_errno(engine->session_, EAGAIN);
    return -1;
  }
  const auto waiting = engine->input_.octets();
  const std::size_t count = std::min(size, waiting.size());
  std::copy_n(waiting.begin(), count, static_cast<std::uint8_t*>(buffer));
  engine->input_.consume(count);
  engine->dataless_octets_ += count;
  if (engine->dataless_octets_ > engine->dataless_octets_limit()) {
    gnutls_transport_set_errno(engine->session_, EMSGSIZE);
    return -1;
  }
  return static_cast<ssize_t>(count);
}

int TlsEngine::pull_timeout(gnutls_transport_ptr_t pointer, unsigned) {
  const auto* engine = static_cast<const TlsEngine*>(pointer);
  return engine->input_.empty() && !engine->input_ended_ ? 0 : 1;
}

ssize_t TlsEngine::push(gnutls_transport_ptr_t pointer, const void* octets, std::size_t size) {
  auto* engine = static_cast<TlsEngine*>(pointer);
  engine->output_.append({as_octets(octets), size});
  return static_cast<ssize_t>(size);
}

}  // namespace sotto
