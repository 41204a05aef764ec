#include "frontend/tcp_io.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "dns/wire.h"

namespace sotto {
namespace {

constexpr std::size_t read_at_once = 4'096;
constexpr int accepts_per_turn = 64;

std::uint64_t to_number(StaleId<TcpTag> id) {
  return (std::uint64_t{id.generation} << 32U) | id.slot;
}

StaleId<TcpTag> from_number(std::uint64_t number) {
  return {static_cast<std::uint32_t>(number & 0xFFFF'FFFFU),
          static_cast<std::uint32_t>(number >> 32U)};
}

}  // namespace

TcpFrontend::TcpFrontend(Loop& loop, Forwarder& forwarder, TcpCounters& counters)
    : loop_(loop), forwarder_(forwarder), counters_(counters) {}

TcpFrontend::~TcpFrontend() {
  while (Connection* connection = by_age_.front()) close(*connection);
}

void TcpFrontend::add_listener(UniqueFd fd) {
  listeners_.push_back(std::make_unique<Listener>(Watch{loop_, std::move(fd)}));
}

void TcpFrontend::set_limits(Duration idle_timeout, std::size_t connections_max,
                             std::size_t per_client_max) {
  idle_timeout_ = idle_timeout;
  limits_.set(connections_max, per_client_max);
}

// --- accepting ----------------------------------------------------------------------------------

// The frontend lives as long as its loop, so handlers of listeners may hold its address.
void TcpFrontend::start() {
  for (const auto& listener : listeners_) {
    if (std::exchange(listener->waiting, true)) continue;
    listener->watch.when_readable([this, &listener = *listener] { on_acceptable(listener); });
  }
}

void TcpFrontend::on_acceptable(Listener& listener) {
  listener.waiting = false;
  if (stopping_) return;
  for (int count = 0; count < accepts_per_turn; ++count) {
    if (!accept_one(listener.watch.fd())) break;
  }
  if (accept_again_ == never) start();
}

bool TcpFrontend::accept_one(int listener) {
  sockaddr_storage address{};
  socklen_t octets = sizeof address;
  UniqueFd fd{::accept4(listener, reinterpret_cast<sockaddr*>(&address), &octets,
                        SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (fd) {
    admit(std::move(fd), from_kernel(reinterpret_cast<const sockaddr*>(&address)).ip);
    return true;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    // The queue stays readable: without a pause the loop would spin. Answering goes on.
    counters_.accept_failed.add();
    accept_again_ = loop_.now() + accept_pause;
    close_one_idle();
    return false;
  }
  return errno == ECONNABORTED || errno == EINTR;
}

void TcpFrontend::admit(UniqueFd fd, const IpAddress& client) {
  if (limits_.full()) close_one_idle();
  if (limits_.full() || limits_.full_for(client)) {
    counters_.rejected.add();
    return;
  }
  counters_.accepted.add();
  limits_.opened(client);
  const ConnectionId id = connections_.insert();
  Connection& connection = connections_.at(id);
  connection.id = id;
  connection.client = client;
  connection.last_message = loop_.now();
  connection.watch.emplace(loop_, std::move(fd));
  by_age_.push_back(connection);
  wait_for_input(connection);
}

// The one that was silent for longest, if nobody waits for an answer on it.
void TcpFrontend::close_one_idle() {
  for (Connection* at = by_age_.front(); at != nullptr; at = by_age_.next(*at)) {
    if (at->waiting > 0 || at->unsent() > 0) continue;
    counters_.closed_idle.add();
    close(*at);
    return;
  }
}

// --- reading ------------------------------------------------------------------------------------

void TcpFrontend::wait_for_input(Connection& connection) {
  if (connection.reading) return;
  connection.reading = true;
  connection.watch->when_readable([this, id = connection.id] { on_readable(id); });
}

void TcpFrontend::on_readable(ConnectionId id) {
  Connection* connection = connections_.find(id);
  if (connection == nullptr) return;
  connection->reading = false;
  if (connection->input_ended || paused(*connection)) return;
  const auto space = connection->framer.space(read_at_once);
  const ssize_t count = ::recv(connection->watch->fd(), space.data(), space.size(), MSG_DONTWAIT);
  if (count > 0) {
    connection->framer.filled(static_cast<std::size_t>(count));
    serve(*connection);
  } else if (count == 0) {
    connection->input_ended = true;
  } else if (errno != EAGAIN && errno != EINTR) {
    close(*connection);
    return;
  }
  settle(*connection);
}

bool TcpFrontend::paused(const Connection& connection) const {
  return connection.waiting >= queries_per_connection_max ||
         connection.unsent() >= unsent_octets_pause;
}

// Answers what has arrived, as far as the limits allow; the rest stays in the framer.
void TcpFrontend::serve(Connection& connection) {
  while (true) {
    connection.held = paused(connection);
    if (connection.held) return;
    const auto message = connection.framer.next();
    if (!message) return;
    connection.last_message = loop_.now();
    by_age_.remove(connection);
    by_age_.push_back(connection);
    const auto keepalive = idle_timeout_ / std::chrono::milliseconds{100};
    const Client client{
        .address = connection.client.octets(),
        .datagram = false,
        .keepalive = static_cast<std::uint16_t>(std::min<Duration::rep>(keepalive, 0xFFFF))};
    const ReplyTo to{.sink = this, .path = {}, .connection = to_number(connection.id)};
    counters_.messages.queries.add();
    const Forwarder::Now now = forwarder_.answer_now(client, *message, scratch());
    ++connection.waiting;
    if (now.outcome == Forwarder::Outcome::answered) {
      response_written(to, now.octets);
    } else if (now.outcome == Forwarder::Outcome::pending) {
      forwarder_.forward(to);
    } else {
      --connection.waiting;
    }
  }
}

// --- writing ------------------------------------------------------------------------------------

std::span<std::uint8_t> TcpFrontend::scratch() {
  if (response_.empty()) response_.resize(message_octets_max);
  return response_;
}

bool TcpFrontend::too_much_unsent(const Connection& connection) const {
  return connection.unsent() > unsent_octets_close || unsent_octets_ > unsent_octets_all_max;
}

std::span<std::uint8_t> TcpFrontend::response_space(const ReplyTo& to, std::uint16_t) {
  Connection* connection = connections_.find(from_number(to.connection));
  if (connection == nullptr) return {};
  if (!too_much_unsent(*connection)) return scratch();
  --connection->waiting;
  connection->overfull = true;
  settle(*connection);
  return {};
}

void TcpFrontend::response_written(const ReplyTo& to, std::size_t octets) {
  Connection& connection = connections_.at(from_number(to.connection));
  --connection.waiting;
  counters_.messages.count_response(std::span(response_).first(octets));
  unsent_octets_ += stream_length_octets + octets;
  std::array<std::uint8_t, stream_length_octets> length{};
  store16(length.data(), static_cast<std::uint16_t>(octets));
  connection.output.insert(connection.output.end(), length.begin(), length.end());
  connection.output.insert(connection.output.end(), response_.begin(),
                           response_.begin() + static_cast<std::ptrdiff_t>(octets));
  settle(connection);
}

// Whatever changed, flush() looks at the connection once at the end of the turn.
void TcpFrontend::settle(Connection& connection) {
  if (connection.due) return;
  connection.due = true;
  due_.push_back(connection.id);
}

void TcpFrontend::flush() {
  const std::vector<ConnectionId> due = std::exchange(due_, {});
  for (const ConnectionId id : due) {
    Connection* connection = connections_.find(id);
    if (connection == nullptr) continue;
    connection->due = false;
    if (!send_output(*connection)) continue;
    if (connection->held && !paused(*connection)) {
      loop_.post([this, id] { on_resumed(id); });
    } else if (connection->input_ended && connection->waiting == 0 && connection->unsent() == 0) {
      close(*connection);
    } else if (!connection->input_ended && !paused(*connection)) {
      wait_for_input(*connection);
    }
  }
}

// False if the connection was closed.
bool TcpFrontend::send_output(Connection& connection) {
  while (connection.unsent() > 0 && !connection.writing) {
    const ssize_t count =
        ::send(connection.watch->fd(), connection.output.data() + connection.output_sent,
               connection.unsent(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      connection.output_sent += static_cast<std::size_t>(count);
      unsent_octets_ -= static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      connection.writing = true;
      connection.watch->when_writable([this, id = connection.id] { on_writable(id); });
    } else if (errno != EINTR) {
      close(connection);
      return false;
    }
  }
  if (connection.overfull) {
    counters_.closed_slow.add();
    close(connection);
    return false;
  }
  // Now and then, so that a client that never quite catches up does not make the buffer grow.
  if (connection.unsent() == 0 || connection.output_sent >= unsent_octets_pause) {
    connection.output.erase(
        connection.output.begin(),
        connection.output.begin() + static_cast<std::ptrdiff_t>(connection.output_sent));
    connection.output_sent = 0;
  }
  return true;
}

void TcpFrontend::on_writable(ConnectionId id) {
  Connection* connection = connections_.find(id);
  if (connection == nullptr) return;
  connection->writing = false;
  settle(*connection);
}

void TcpFrontend::on_resumed(ConnectionId id) {
  Connection* connection = connections_.find(id);
  if (connection == nullptr) return;
  serve(*connection);
  settle(*connection);
}

void TcpFrontend::close(Connection& connection) {
  counters_.closed.add();
  unsent_octets_ -= connection.unsent();
  limits_.closed(connection.client);
  by_age_.remove(connection);
  connections_.erase(connection.id);
}

// --- time ---------------------------------------------------------------------------------------

Instant TcpFrontend::next_deadline() const {
  const Connection* oldest = by_age_.front();
  return std::min(accept_again_, oldest != nullptr ? oldest->last_message + idle_timeout_ : never);
}

void TcpFrontend::on_deadline() {
  if (accept_again_ <= loop_.now()) {
    accept_again_ = never;
    if (!stopping_) start();
  }
  while (Connection* oldest = by_age_.front()) {
    if (oldest->last_message + idle_timeout_ > loop_.now()) break;
    // Not idle: an answer is on its way, within the query's own deadline, or leaves in this turn.
    if (oldest->waiting > 0 || oldest->due) {
      oldest->last_message = loop_.now();
      by_age_.remove(*oldest);
      by_age_.push_back(*oldest);
      continue;
    }
    (oldest->unsent() > 0 ? counters_.closed_slow : counters_.closed_idle).add();
    close(*oldest);
  }
}

void TcpFrontend::stop_receiving() {
  stopping_ = true;
  for (Connection* at = by_age_.front(); at != nullptr; at = by_age_.next(*at)) {
    at->input_ended = true;
    settle(*at);
  }
}

}  // namespace sotto
