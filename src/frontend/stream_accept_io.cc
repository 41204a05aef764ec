// Connections from their beginning until queries may come: accepted, within the limits, behind
// their PROXY header and handshake.
#include <cerrno>
#include <utility>

#include "frontend/stream_io.h"

namespace sotto {
namespace {

constexpr int accepts_per_turn = 64;
// A client with too many connections gives up one that is still opening, if there is one among the
// oldest.
constexpr int opening_looked_at_max = 64;

}  // namespace

void StreamFrontend::add_listener(UniqueFd fd, StreamListenerSpec spec) {
  if (spec.transport == StreamTransport::https) {
    spec.doh = &counters_.doh;
    spec.frames = std::make_shared<Http2FrameRoom>();
  }
  listeners_.emplace_back(new Listener(loop_, std::move(fd), std::move(spec)));
}

// The frontend lives as long as its loop, so handlers of listeners may hold its address.
void StreamFrontend::start() {
  for (const auto& listener : listeners_) {
    if (std::exchange(listener->waiting, true)) continue;
    listener->watch.when_readable([this, &listener = *listener] { on_acceptable(listener); });
  }
}

void StreamFrontend::on_acceptable(Listener& listener) {
  listener.waiting = false;
  acceptable_.push_back(&listener);
}

// Behind everything else of a turn: connections that were closed before these began make room.
void StreamFrontend::accept() {
  if (acceptable_.empty()) return;
  for (Listener* listener : acceptable_) {
    for (int count = 0; count < accepts_per_turn && !stopping_; ++count) {
      if (!accept_one(*listener)) break;
    }
  }
  acceptable_.clear();
  if (accept_again_ == never && !stopping_) start();
}

bool StreamFrontend::accept_one(Listener& listener) {
  sockaddr_storage address{};
  socklen_t octets = sizeof address;
  UniqueFd fd{::accept4(listener.watch.fd(), reinterpret_cast<sockaddr*>(&address), &octets,
                        SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (fd) {
    admit(std::move(fd), listener, from_kernel(reinterpret_cast<const sockaddr*>(&address)).ip);
    return true;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    // The queue stays readable: without a pause the loop would spin. Answering goes on.
    counters_[listener.spec.transport].accept_failed.add();
    accept_again_ = loop_.now() + accept_pause;
    make_room();
    return false;
  }
  return errno == ECONNABORTED || errno == EINTR;
}

void StreamFrontend::admit(UniqueFd fd, const Listener& listener, const IpAddress& peer) {
  const StreamListenerSpec& spec = listener.spec;
  // A proxy is not the client: whom it speaks for counts, once that is known.
  const bool speaks_for_others = any_contains(spec.proxy_from, peer.octets());
  if (limits_.full()) make_room();
  if (limits_.full() || (!speaks_for_others && !make_room_for(peer))) {
    counters_[spec.transport].rejected.add();
    return;
  }
  counters_[spec.transport].accepted.add();
  limits_.opened();
  const ConnectionId id = connections_.insert();
  Connection& connection = connections_.at(id);
  connection.id = id;
  connection.transport = spec.transport;
  connection.client = peer;
  connection.since = loop_.now();
  connection.watch.emplace(loop_, std::move(fd));
  connection.stream.emplace(spec, tls_, speaks_for_others);
  if (!speaks_for_others) {
    limits_.opened_for(peer);
    connection.client_known = true;
  }
  connection.opening = connection.stream->phase() != StreamConnection::Phase::open;
  (connection.opening ? opening_ : by_age_).push_back(connection);
  wait_for_input(connection);
}

// Whoever has not shown yet that there is a client behind goes first, the oldest of them.
void StreamFrontend::make_room() {
  if (Connection* oldest = opening_.front()) {
    fail(*oldest, StreamFailure::displaced, "others waited for the place of a slow handshake");
  } else {
    close_one_idle();
  }
}

// False: the client has as many as it may.
bool StreamFrontend::make_room_for(const IpAddress& client) {
  if (!limits_.full_for(client)) return true;
  Connection* at = opening_.front();
  for (int count = 0; at != nullptr && count < opening_looked_at_max; ++count) {
    if (at->client_known && at->client == client) {
      fail(*at, StreamFailure::displaced, "the client opened others before this handshake ended");
      return true;
    }
    at = Connections::next(*at);
  }
  return false;
}

// The one that was silent for longest, if nobody waits for an answer on it.
void StreamFrontend::close_one_idle() {
  for (Connection* at = by_age_.front(); at != nullptr; at = Connections::next(*at)) {
    if (at->stream->waiting() > 0 || at->stream->unsent() > 0) continue;
    counters_[at->transport].closed_idle.add();
    close_in_order(*at);
    return;
  }
}

// Whom the PROXY header named, or the proxy itself, counts from now on. False: it has too many
// connections already.
bool StreamFrontend::identify(Connection& connection) {
  if (const auto& named = connection.stream->proxied_client()) connection.client = named->ip;
  if (!make_room_for(connection.client)) return false;
  limits_.opened_for(connection.client);
  connection.client_known = true;
  return true;
}

// After octets have come to one that is opening. False if it was closed.
bool StreamFrontend::advance_opening(Connection& connection) {
  using Phase = StreamConnection::Phase;
  const Phase phase = connection.stream->phase();
  if (phase == Phase::proxy_header || phase == Phase::failed) return true;
  if (!connection.client_known && !identify(connection)) {
    counters_[connection.transport].rejected.add();
    close(connection);
    return false;
  }
  if (phase != Phase::open) return true;
  opening_.remove(connection);
  by_age_.push_back(connection);
  connection.opening = false;
  connection.since = loop_.now();
  if (is_encrypted(connection.transport)) {
    counters_[connection.transport].handshakes.add();
    if (connection.stream->resumed()) counters_[connection.transport].resumed.add();
  }
  return true;
}

void StreamFrontend::resume_delayed() {
  // The newest first: when there are more than can be done, the oldest have given up, or were never
  // meant to be done.
  while (!delayed_.empty() && handshake_steps_ < handshake_steps_per_turn) {
    const ConnectionId id = delayed_.back();
    delayed_.pop_back();
    on_readable(id);
  }
}

}  // namespace sotto
