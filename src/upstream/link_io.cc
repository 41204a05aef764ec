#include "upstream/link_io.h"

#include <cassert>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>
#include <system_error>
#include <vector>

#include "dns/framing.h"
#include "transport/socket_io.h"
#include "transport/tls_engine.h"

namespace sotto {
namespace {

// What one TLS record may hold, and a good amount to ask the kernel for at once.
constexpr std::size_t plaintext_at_once = 16'384;
constexpr std::size_t ciphertext_at_once = 32'768;
// A server that stops reading leaves its queries here until they are asked elsewhere. More than all
// queries of a full pipeline several times over.
constexpr std::size_t unsent_octets_max = 4 * 1'024 * 1'024;

std::string describe_errno(const char* what, int code) {
  return std::string{what} + ": " + std::generic_category().message(code);
}

}  // namespace

class TlsLink final : public Link {
 public:
  TlsLink(TlsLinkOpener& opener, const TlsPeerIdentity& peer, std::shared_ptr<const TlsTrust> trust,
          LinkEvents& events)
      : opener_(opener),
        id_(opener.links_.insert()),
        events_(events),
        engine_(TlsEngine::client(std::move(trust), peer, opener.tickets_, "dot")) {
    opener_.links_.at(id_).link = this;
  }
  ~TlsLink() override { opener_.links_.erase(id_); }
  TlsLink(const TlsLink&) = delete;
  TlsLink& operator=(const TlsLink&) = delete;

  void begin(const SocketAddress& address, const LocalEnd& local);
  void write(std::span<const std::uint8_t> plaintext) override;
  void write_padded(std::span<const std::uint8_t> plaintext, std::size_t padding) override;
  void acknowledge() override;
  void close() override;

 private:
  // Calls member unless the link is gone by then. watch_ runs handlers by id, never by address.
  // Two words, which fit into a Loop::Handler without an allocation.
  template <auto member>
  auto later() {
    return [&opener = opener_, id = id_] {
      if (const auto* place = opener.links_.find(id)) (place->link->*member)();
    };
  }

  void on_connected();
  void on_readable();
  void on_writable();
  void on_deferred_failure();
  void advance_handshake();
  void deliver();
  void send_output();
  void fail_later(LinkClosed closed);
  void finish(LinkClosed closed);
  LinkClosed why_closed() const;

  TlsLinkOpener& opener_;
  TlsLinkOpener::Links::Id id_;
  LinkEvents& events_;
  std::unique_ptr<TlsEngine> engine_;
  std::optional<Watch> watch_;
  std::optional<LinkClosed> deferred_;
  bool waiting_writable_ = false;
  bool write_failed_ = false;
  bool ended_ = false;  // no event may follow
};

std::unique_ptr<Link> TlsLinkOpener::open(const EndpointSpec& endpoint, LinkEvents& events) {
  auto link = std::make_unique<TlsLink>(*this, endpoint.identity, endpoint.trust, events);
  link->begin(endpoint.identity.endpoint, endpoint.local);
  return link;
}

std::string TlsLinkOpener::path_to(const EndpointSpec& endpoint) {
  return local_address_towards(endpoint.identity.endpoint, endpoint.local);
}

void TlsLink::begin(const SocketAddress& address, const LocalEnd& local) {
  auto fd = begin_connect(SocketKind::stream, address, local);
  if (!fd) {
    const FailureKind kind =
        is_no_route(fd.error().code) ? FailureKind::no_route : FailureKind::transport;
    fail_later({kind, fd.error().what});
    return;
  }
  watch_.emplace(opener_.loop_, std::move(*fd));
  watch_->when_writable(later<&TlsLink::on_connected>());
}

void TlsLink::on_connected() {
  if (ended_) return;
  if (const int code = connect_result(watch_->fd()); code != 0) {
    const FailureKind kind = is_no_route(code) ? FailureKind::no_route : FailureKind::transport;
    finish({kind, describe_errno("TCP connection failed", code)});
    return;
  }
  events_.on_tcp_connected();
  if (ended_) return;
  watch_->when_readable(later<&TlsLink::on_readable>());
  advance_handshake();
}

void TlsLink::advance_handshake() {
  const TlsEngine::State state = engine_->handshake();
  send_output();
  if (ended_ || state == TlsEngine::State::handshaking) return;
  if (state != TlsEngine::State::ready) {
    finish(why_closed());
    return;
  }
  events_.on_link_ready(
      {engine_->resumed(), engine_->description(), engine_->certificate_expires()});
  if (!ended_) deliver();
}

// Reads once: what is still there makes the descriptor readable again in the next turn.
void TlsLink::on_readable() {
  if (ended_) return;
  const std::span<std::uint8_t> space = engine_->input_space(ciphertext_at_once);
  const ssize_t count = ::recv(watch_->fd(), space.data(), space.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    watch_->when_readable(later<&TlsLink::on_readable>());
    return;
  }
  if (count < 0) {
    finish({FailureKind::transport, describe_errno("connection lost", errno)});
    return;
  }
  if (count == 0) {
    engine_->input_ended();
  } else {
    engine_->received(static_cast<std::size_t>(count));
  }
  if (engine_->state() == TlsEngine::State::handshaking) {
    advance_handshake();
  } else {
    deliver();
  }
  if (!ended_) watch_->when_readable(later<&TlsLink::on_readable>());
}

void TlsLink::deliver() {
  while (!ended_) {
    const std::size_t count = engine_->read(events_.plaintext_space(plaintext_at_once));
    if (count == 0) break;
    events_.on_plaintext(count);
  }
  if (ended_) return;
  send_output();  // a key update answers itself
  if (!ended_ && engine_->state() != TlsEngine::State::ready) finish(why_closed());
}

LinkClosed TlsLink::why_closed() const {
  const TlsFailure& failure = engine_->failure();
  switch (failure.kind) {
    case TlsFailure::Kind::authentication:
      return {FailureKind::authentication, failure.reason};
    case TlsFailure::Kind::protocol:
      return {FailureKind::transport, failure.reason};
    case TlsFailure::Kind::none:
      return {FailureKind::none, "closed by the server"};
  }
  return {};
}

void TlsLink::write_padded(std::span<const std::uint8_t> plaintext, std::size_t padding) {
  if (ended_ || deferred_) return;
  engine_->write_padded(plaintext, padding);
  send_output();
}

void TlsLink::write(std::span<const std::uint8_t> plaintext) {
  if (ended_ || deferred_) return;
  engine_->write(plaintext, first_message_octets);
  send_output();
}

// Lasts until the kernel delays acknowledgements again, so it is asked for anew each time. Without
// it answers come later, no more.
void TlsLink::acknowledge() {
  if (ended_ || deferred_) return;
  const int on = 1;
  ::setsockopt(watch_->fd(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void TlsLink::send_output() {
  while (!ended_ && !waiting_writable_ && !write_failed_) {
    const std::span<const std::uint8_t> output = engine_->output();
    if (output.empty()) return;
    const ssize_t count =
        ::send(watch_->fd(), output.data(), output.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      engine_->sent(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      waiting_writable_ = true;
      watch_->when_writable(later<&TlsLink::on_writable>());
    } else if (errno == EPIPE || errno == ECONNRESET) {
      // The server closed. What it had answered before is still to be read, and reading ends the
      // link.
      write_failed_ = true;
      return;
    } else if (errno != EINTR) {
      fail_later({FailureKind::transport, describe_errno("connection lost", errno)});
      return;
    }
  }
  if (engine_->output().size() > unsent_octets_max) {
    fail_later({FailureKind::transport, "the server does not read"});
  }
}

void TlsLink::on_writable() {
  waiting_writable_ = false;
  if (!ended_) send_output();
}

// The caller may be in the middle of handing over a query: it hears of the failure in the next
// turn.
void TlsLink::fail_later(LinkClosed closed) {
  if (deferred_) return;
  deferred_ = std::move(closed);
  opener_.loop_.post(later<&TlsLink::on_deferred_failure>());
}

void TlsLink::on_deferred_failure() {
  if (!ended_) finish(std::move(*deferred_));
}

void TlsLink::finish(LinkClosed closed) {
  assert(!ended_);
  ended_ = true;
  watch_.reset();
  events_.on_link_closed(closed);
}

void TlsLink::close() {
  if (ended_) return;
  ended_ = true;
  if (watch_ && engine_->state() == TlsEngine::State::ready) {
    engine_->close();
    const std::span<const std::uint8_t> output = engine_->output();
    // Best effort: a peer that does not take it learns by the end of the stream.
    static_cast<void>(
        ::send(watch_->fd(), output.data(), output.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  watch_.reset();
}

}  // namespace sotto
