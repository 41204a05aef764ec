#include "frontend/stream_io.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

namespace sotto {
namespace {

// As much as one TLS record holds, and hundreds of queries.
constexpr std::size_t read_at_once = 16'384;
constexpr auto response_padding = static_cast<std::uint16_t>(response_padding_block);

std::uint64_t to_number(StaleId<StreamTag> id) {
  return (std::uint64_t{id.generation} << 32U) | id.slot;
}

StaleId<StreamTag> from_number(std::uint64_t number) {
  return {static_cast<std::uint32_t>(number & 0xFFFF'FFFFU),
          static_cast<std::uint32_t>(number >> 32U)};
}

}  // namespace

StreamFrontend::StreamFrontend(Loop& loop, Forwarder& forwarder,
                               StreamCountersByTransport& counters, StreamEvents& events)
    : loop_(loop),
      forwarder_(forwarder),
      counters_(counters),
      events_(events),
      received_(read_at_once),
      decrypted_(read_at_once) {}

StreamFrontend::~StreamFrontend() {
  while (Connection* connection = opening_.front()) close(*connection);
  while (Connection* connection = by_age_.front()) close(*connection);
}

void StreamFrontend::set_limits(Duration idle_timeout, std::size_t connections_max,
                                std::size_t per_client_max) {
  idle_timeout_ = idle_timeout;
  limits_.set(connections_max, per_client_max);
}

Duration StreamFrontend::idle_timeout() const {
  return idle_timeout_under_load(idle_timeout_, limits_.connections(), limits_.connections_max());
}

// --- reading ------------------------------------------------------------------------------------

void StreamFrontend::wait_for_input(Connection& connection) {
  if (connection.reading) return;
  connection.reading = true;
  connection.watch->when_readable([this, id = connection.id] { on_readable(id); });
}

void StreamFrontend::on_readable(ConnectionId id) {
  Connection* connection = connections_.find(id);
  if (connection == nullptr) return;
  if (connection->opening && ++handshake_steps_ > handshake_steps_per_turn) {
    delayed_.push_back(id);
    return;
  }
  connection->reading = false;
  if (connection->stream->reads()) read(*connection);
}

void StreamFrontend::read(Connection& connection) {
  const ssize_t count =
      ::recv(connection.watch->fd(), received_.data(), received_.size(), MSG_DONTWAIT);
  if (count > 0) {
    connection.stream->receive(std::span(received_).first(static_cast<std::size_t>(count)),
                               decrypted_);
    if (connection.opening && !advance_opening(connection)) return;
    if (!connection.opening) serve(connection);
  } else if (count == 0) {
    connection.stream->end_input();
  } else if (errno != EAGAIN && errno != EINTR) {
    close(connection);
    return;
  }
  settle(connection);
}

// Answers what has arrived, as far as the limits allow; the rest stays in the protocol.
void StreamFrontend::serve(Connection& connection) {
  StreamConnection& stream = *connection.stream;
  auto query = stream.next();
  if (!query) return;
  connection.since = loop_.now();
  by_age_.remove(connection);
  by_age_.push_back(connection);
  StreamCounters& counters = counters_[connection.transport];
  const bool https = connection.transport == StreamTransport::https;
  const Client client{
      .address = connection.client.octets(),
      .datagram = false,
      .padding_block = is_encrypted(connection.transport) ? response_padding : std::uint16_t{0},
      // HTTP has its own ways (RFC 7828 §3.2.2 speaks of TCP).
      .keepalive = https ? std::uint16_t{0} : keepalive_units(idle_timeout()),
      .identity = stream.identity()};
  for (; query; query = stream.next()) {
    const ReplyTo to{
        .sink = this, .path = {}, .connection = to_number(connection.id), .stream = query->stream};
    counters.messages.queries.add();
    const Forwarder::Now now = forwarder_.answer_now(client, query->message, scratch());
    if (now.outcome == Forwarder::Outcome::answered) {
      response_written(to, now.octets);
    } else if (now.outcome == Forwarder::Outcome::pending) {
      forwarder_.forward(to);
    } else {
      stream.drop(query->stream);
    }
  }
}

// --- writing ------------------------------------------------------------------------------------

std::span<std::uint8_t> StreamFrontend::scratch() {
  if (response_.empty()) response_.resize(message_octets_max);
  return response_;
}

std::span<std::uint8_t> StreamFrontend::response_space(const ReplyTo& to, std::uint16_t) {
  Connection* connection = connections_.find(from_number(to.connection));
  if (connection == nullptr) return {};
  StreamConnection& stream = *connection->stream;
  connection->overfull |= stream.too_much_unsent();
  if (!connection->overfull && stream.waits(to.stream)) return scratch();
  stream.drop(to.stream);
  settle(*connection);
  return {};
}

void StreamFrontend::response_written(const ReplyTo& to, std::size_t octets) {
  Connection& connection = connections_.at(from_number(to.connection));
  const auto response = std::span(response_).first(octets);
  counters_[connection.transport].messages.count_response(response);
  connection.stream->respond(to.stream, response);
  count_unsent(connection);
  settle(connection);
}

void StreamFrontend::count_unsent(Connection& connection) {
  const std::size_t unsent = connection.stream->unsent();
  unsent_octets_ += unsent - connection.unsent;  // unsigned: right for a difference below zero, too
  connection.unsent = unsent;
}

// Whatever changed, flush() looks at the connection once at the end of the turn.
void StreamFrontend::settle(Connection& connection) {
  if (connection.due) return;
  connection.due = true;
  due_.push_back(connection.id);
}

void StreamFrontend::flush() {
  const std::vector<ConnectionId> due = std::exchange(due_, {});
  for (const ConnectionId id : due) {
    Connection* connection = connections_.find(id);
    if (connection == nullptr) continue;
    connection->due = false;
    if (send_output(*connection)) look_after(*connection);
  }
  if (unsent_octets_ > unsent_octets_all_max) close_fullest();
  accept();
  handshake_steps_ = 0;
  if (!delayed_.empty()) loop_.post([this] { resume_delayed(); });
}

void StreamFrontend::close_fullest() {
  std::vector<std::pair<std::size_t, Connection*>> holders;
  for (Connection* at = by_age_.front(); at != nullptr; at = Connections::next(*at)) {
    if (at->unsent > 0) holders.emplace_back(at->unsent, at);
  }
  std::ranges::sort(holders, std::greater());
  for (const auto& [unsent, holder] : holders) {
    if (unsent_octets_ <= unsent_octets_all_left) break;
    counters_[holder->transport].closed_slow.add();
    close(*holder);
  }
}

// What is to be done next with a connection whose output has left, as far as the socket took it.
void StreamFrontend::look_after(Connection& connection) {
  const StreamConnection& stream = *connection.stream;
  if (stream.phase() == StreamConnection::Phase::failed) {
    fail(connection, stream.failure().cause, stream.failure().reason);
  } else if (stream.resumable()) {
    loop_.post([this, id = connection.id] { on_resumed(id); });
  } else if (stream.done()) {
    close_in_order(connection);
  } else if (stream.reads()) {
    wait_for_input(connection);
  }
}

// All that gathered in this turn leaves at once. False if the connection was closed.
bool StreamFrontend::send_output(Connection& connection) {
  StreamConnection& stream = *connection.stream;
  while (!connection.writing) {
    stream.produce(plaintext_);
    const auto output = stream.output();
    if (output.empty()) break;
    const ssize_t count =
        ::send(connection.watch->fd(), output.data(), output.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      stream.sent(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      connection.writing = true;
      connection.watch->when_writable([this, id = connection.id] { on_writable(id); });
    } else if (errno != EINTR) {
      close(connection);
      return false;
    }
  }
  count_unsent(connection);
  if (connection.overfull) {
    counters_[connection.transport].closed_slow.add();
    close(connection);
    return false;
  }
  return true;
}

void StreamFrontend::on_writable(ConnectionId id) {
  Connection* connection = connections_.find(id);
  if (connection == nullptr) return;
  connection->writing = false;
  settle(*connection);
}

void StreamFrontend::on_resumed(ConnectionId id) {
  Connection* connection = connections_.find(id);
  if (connection == nullptr) return;
  serve(*connection);
  settle(*connection);
}

// --- the end ------------------------------------------------------------------------------------

void StreamFrontend::fail(Connection& connection, StreamFailure cause, const std::string& reason) {
  counters_[connection.transport].failed[static_cast<std::size_t>(cause)].add();
  events_.on_stream_failed(connection.transport, connection.client, cause, reason);
  close(connection);
}

// Nothing is unsent, so there is room for a goodbye; who does not get it learns by the end of the
// stream.
void StreamFrontend::close_in_order(Connection& connection) {
  connection.stream->say_goodbye();
  const auto goodbye = connection.stream->output();
  if (!goodbye.empty()) {
    static_cast<void>(::send(connection.watch->fd(), goodbye.data(), goodbye.size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  close(connection);
}

void StreamFrontend::close(Connection& connection) {
  counters_[connection.transport].closed.add();
  unsent_octets_ -= connection.unsent;
  limits_.closed();
  if (connection.client_known) limits_.closed_for(connection.client);
  (connection.opening ? opening_ : by_age_).remove(connection);
  connections_.erase(connection.id);
}

// --- time ---------------------------------------------------------------------------------------

Instant StreamFrontend::next_deadline() const {
  const Connection* opening = opening_.front();
  const Connection* oldest = by_age_.front();
  return std::min({accept_again_,
                   opening != nullptr ? opening->since + client_handshake_timeout : never,
                   oldest != nullptr ? oldest->since + idle_timeout() : never});
}

void StreamFrontend::on_deadline() {
  if (accept_again_ <= loop_.now()) {
    accept_again_ = never;
    if (!stopping_) start();
  }
  while (Connection* opening = opening_.front()) {
    if (opening->since + client_handshake_timeout > loop_.now()) break;
    fail(*opening, StreamFailure::too_slow, "the handshake did not end in time");
  }
  while (Connection* oldest = by_age_.front()) {
    if (oldest->since + idle_timeout() > loop_.now()) break;
    // Not idle: an answer is on its way, within the query's own deadline, or leaves in this turn.
    if (oldest->stream->waiting() > 0 || oldest->due) {
      oldest->since = loop_.now();
      by_age_.remove(*oldest);
      by_age_.push_back(*oldest);
      continue;
    }
    const bool slow = oldest->stream->unsent() > 0;
    StreamCounters& counters = counters_[oldest->transport];
    (slow ? counters.closed_slow : counters.closed_idle).add();
    slow ? close(*oldest) : close_in_order(*oldest);
  }
}

void StreamFrontend::stop_receiving() {
  stopping_ = true;
  while (Connection* opening = opening_.front()) close(*opening);
  for (Connection* at = by_age_.front(); at != nullptr; at = by_age_.next(*at)) {
    at->stream->stop();
    settle(*at);
  }
}

}  // namespace sotto
