#include "frontend/stream_connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "dns/wire.h"
#include "transport/tls_reason.h"

namespace sotto {

namespace {

// A client that is not there any more is no failure of ours, and names no error of GnuTLS.
constexpr const char* left_reason = "the client closed the connection during the handshake";

// RFC 8446 §5.1: type, version, length. What is too long is left to the engine to refuse.
bool is_whole_record(std::span<const std::uint8_t> octets) {
  constexpr std::size_t header_octets = 5;
  constexpr std::size_t longest = 16'384;
  if (octets.size() < header_octets) return false;
  const std::size_t length = load16(&octets[3]);
  return length > longest || octets.size() - header_octets >= length;
}

}  // namespace

StreamConnection::StreamConnection(const StreamListenerSpec& spec, const StreamTls& tls,
                                   bool speaks_for_others)
    : spec_(spec),
      tls_settings_(tls),
      gate_(std::make_unique<ProxyGate>(speaks_for_others)),
      phase_(speaks_for_others ? Phase::proxy_header : Phase::handshake) {
  if (!speaks_for_others && !is_encrypted(spec.transport)) open();
}

void StreamConnection::open() {
  phase_ = Phase::open;
  protocol_ = make_protocol(spec_);
  if (stopping_) protocol_->stop();
}

// --- octets in ----------------------------------------------------------------------------------

void StreamConnection::receive(std::span<const std::uint8_t> octets,
                               std::span<std::uint8_t> scratch) {
  if (phase_ == Phase::failed) return;
  if (gate_ != nullptr) {
    pass_header(octets, scratch);
  } else {
    receive_behind_header(octets, scratch);
  }
}

void StreamConnection::pass_header(std::span<const std::uint8_t> octets,
                                   std::span<std::uint8_t> scratch) {
  switch (gate_->receive(octets)) {
    case ProxyGate::Verdict::more:
      return;
    case ProxyGate::Verdict::refused:
      fail(StreamFailure::proxy_header, phase_ == Phase::proxy_header
                                            ? "the proxy sent no PROXY header, or a malformed one"
                                            : "a PROXY header from a peer not in proxy_from");
      return;
    case ProxyGate::Verdict::passed:
      break;
  }
  const std::unique_ptr<ProxyGate> gate = std::move(gate_);
  proxied_client_ = gate->client();
  if (phase_ == Phase::proxy_header) {
    phase_ = Phase::handshake;
    if (!is_encrypted(spec_.transport)) open();
  }
  if (!gate->rest().empty()) receive_behind_header(gate->rest(), scratch);
}

void StreamConnection::receive_behind_header(std::span<const std::uint8_t> octets,
                                             std::span<std::uint8_t> scratch) {
  if (is_encrypted(spec_.transport)) {
    receive_tls(octets, scratch);
  } else {
    protocol_->receive(octets);
  }
}

void StreamConnection::receive_tls(std::span<const std::uint8_t> octets,
                                   std::span<std::uint8_t> scratch) {
  if (tls_ == nullptr && !begin_handshake(octets)) return;
  std::ranges::copy(octets, tls_->input_space(octets.size()).begin());
  tls_->received(octets.size());
  hello_ = OctetQueue{};
  if (phase_ == Phase::handshake && !finish_handshake()) return;
  decrypt(scratch);
}

// The engine is made when the client's first record is whole, as a handshake in progress takes some
// 20 kB: who stalls before costs next to nothing. octets: of the engine, if the result is true.
bool StreamConnection::begin_handshake(std::span<const std::uint8_t>& octets) {
  if (!hello_.empty()) {
    hello_.append(octets);
    octets = hello_.octets();
  }
  if (!starts_like_tls(octets.front())) {
    fail(StreamFailure::not_tls, not_tls_reason(octets));
    return false;
  }
  if (!is_whole_record(octets)) {
    if (hello_.empty()) hello_.append(octets);
    return false;
  }
  tls_ = make_engine(spec_, tls_settings_);
  return true;
}

// True once it is done.
bool StreamConnection::finish_handshake() {
  switch (tls_->handshake()) {
    case TlsEngine::State::handshaking:
      return false;
    case TlsEngine::State::ready:
      open();
      return true;
    case TlsEngine::State::closed:
    case TlsEngine::State::failed:
      break;
  }
  fail_as_engine_says();
  return false;
}

void StreamConnection::decrypt(std::span<std::uint8_t> scratch) {
  while (const std::size_t count = tls_->read(scratch)) protocol_->receive(scratch.first(count));
  if (tls_->state() == TlsEngine::State::failed) fail_as_engine_says();
  // Half-closed: what was asked is still answered (RFC 8446 §6.1).
  if (tls_->state() == TlsEngine::State::closed) input_ended_ = true;
}

void StreamConnection::fail_as_engine_says() {
  const TlsFailure& failure = tls_->failure();
  if (phase_ != Phase::handshake) return fail(StreamFailure::record, failure.reason);
  const bool certificate = failure.kind == TlsFailure::Kind::authentication;
  fail(certificate ? StreamFailure::certificate : StreamFailure::handshake, failure.reason);
}

void StreamConnection::fail(StreamFailure cause, std::string reason) {
  phase_ = Phase::failed;
  failure_ = {cause, std::move(reason)};
}

void StreamConnection::end_input() {
  if (input_ended_ || phase_ == Phase::failed) return;
  input_ended_ = true;
  if (phase_ != Phase::open) fail(StreamFailure::left, left_reason);
}

void StreamConnection::stop() {
  stopping_ = true;
  if (protocol_ != nullptr) protocol_->stop();
}

std::string_view StreamConnection::identity() const {
  return tls_ != nullptr ? std::string_view(tls_->client_identity()) : std::string_view();
}

// --- queries ------------------------------------------------------------------------------------

std::optional<StreamProtocol::Query> StreamConnection::next() {
  if (phase_ != Phase::open) return std::nullopt;
  held_ = paused();
  if (held_) return std::nullopt;
  const auto query = protocol_->next();
  if (query) ++waiting_;
  return query;
}

void StreamConnection::respond(std::uint32_t stream, std::span<const std::uint8_t> response) {
  assert(waiting_ > 0);
  --waiting_;
  held_back_ = false;
  protocol_->respond(stream, response);
}

void StreamConnection::drop(std::uint32_t stream) {
  assert(waiting_ > 0);
  --waiting_;
  if (protocol_->waits(stream)) protocol_->drop(stream);
}

// --- octets out ---------------------------------------------------------------------------------

// What the socket has not taken yet goes first, so that octets wait in one place only.
void StreamConnection::produce(OctetQueue& scratch) {
  if (phase_ != Phase::open || !output().empty()) return;
  if (tls_ == nullptr) {
    protocol_->produce(output_);
    return;
  }
  protocol_->produce(scratch);
  held_back_ = protocol_->held() > 0;
  if (scratch.empty()) return;
  tls_->write(scratch.octets(), protocol_->record_cut());
  scratch.consume(scratch.size());
  if (tls_->state() == TlsEngine::State::failed) fail_as_engine_says();
}

std::span<const std::uint8_t> StreamConnection::output() const {
  return tls_ != nullptr ? tls_->output() : output_.octets();
}

void StreamConnection::sent(std::size_t count) {
  if (tls_ != nullptr) {
    tls_->sent(count);
  } else {
    output_.consume(count);
  }
}

void StreamConnection::say_goodbye() {
  if (phase_ != Phase::open) return;
  protocol_->stop();
  OctetQueue rest;
  protocol_->produce(rest);
  if (tls_ == nullptr) return;
  if (!rest.empty()) tls_->write(rest.octets(), protocol_->record_cut());
  tls_->close();
}

std::size_t StreamConnection::unsent() const {
  return output().size() + (protocol_ != nullptr ? protocol_->held() : 0);
}

// --- what next ----------------------------------------------------------------------------------

bool StreamConnection::paused() const {
  return waiting_ >= queries_per_connection_max || unsent() >= unsent_octets_pause;
}

// While the client's own flow control holds responses back, it must be heard: only it can let them
// go. What it may send then is bounded by the protocol.
bool StreamConnection::reads() const {
  if (input_ended_ || phase_ == Phase::failed) return false;
  if (phase_ != Phase::open) return true;
  if (protocol_->ended()) return false;
  return !paused() || (output().empty() && waiting_ < queries_per_connection_max);
}

bool StreamConnection::done() const {
  if (phase_ == Phase::failed) return true;
  if (phase_ != Phase::open) return stopping_;
  // What flow control holds back is let go by the client's octets only.
  const bool undeliverable = input_ended_ && held_back_ && output().empty();
  if (unsent() > 0 && !undeliverable) return false;
  if (protocol_->ended()) return true;
  return (input_ended_ || stopping_) && waiting_ == 0 && !held_;
}

}  // namespace sotto
