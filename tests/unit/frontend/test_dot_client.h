// A DoT client of our own against a connection of the frontend, over memory.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "frontend/stream_connection.h"
#include "test_tls_world.h"

namespace sotto::test {

inline Octets framed(const Octets& message) {
  Octets stream = {static_cast<std::uint8_t>(message.size() >> 8U),
                   static_cast<std::uint8_t>(message.size() & 0xFFU)};
  stream.insert(stream.end(), message.begin(), message.end());
  return stream;
}

// The messages of a whole stream.
inline std::vector<Octets> cut(const Octets& stream) {
  std::vector<Octets> messages;
  for (std::size_t at = 0; at + 2 <= stream.size();) {
    const std::size_t length = std::size_t{stream[at]} << 8U | stream[at + 1];
    const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(at) + 2;
    messages.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(length));
    at += 2 + length;
  }
  return messages;
}

// What both ends need, and the octets of each side that are under way.
struct DotPair {
  explicit DotPair(const StreamListenerSpec& listener = {.transport = StreamTransport::tls},
                   bool speaks_for_others = false)
      : spec(listener), connection(spec, tls, speaks_for_others) {}

  // The client's octets to the connection, cut as said. False if there were none.
  bool to_connection(const Cut& cut_at = whole) {
    const Octets wire = take_output(*client);
    feed(wire, cut_at);
    return !wire.empty();
  }
  void feed(const Octets& wire, const Cut& cut_at = whole) {
    for (std::size_t at = 0; at < wire.size();) {
      const std::size_t count = cut_at(wire.size() - at);
      connection.receive(std::span(wire).subspan(at, count), scratch);
      take_queries();
      at += count;
    }
  }
  // What the connection has for the client, which decrypts it. False if there was nothing.
  bool to_client() {
    connection.produce(plaintext);
    const Octets wire(connection.output().begin(), connection.output().end());
    connection.sent(wire.size());
    deliver(*client, wire);
    if (client->state() == TlsEngine::State::handshaking) client->handshake();
    if (client->state() == TlsEngine::State::ready) {
      const Octets more = read_all(*client);
      received.insert(received.end(), more.begin(), more.end());
    }
    return !wire.empty();
  }
  void take_queries() {
    while (const auto query = connection.next()) {
      queries.emplace_back(query->message.begin(), query->message.end());
    }
  }
  void connect(const Cut& cut_at = whole) {
    client->handshake();
    settle(cut_at);
  }
  // Until neither has more to say.
  void settle(const Cut& cut_at = whole) {
    while (to_connection(cut_at) | to_client()) continue;
  }

  TlsTicketStore tickets;
  std::unique_ptr<TlsEngine> client = make_client(tickets);
  StreamTls tls{server_settings().credentials, {}};
  StreamListenerSpec spec;
  StreamConnection connection;
  std::vector<Octets> queries;  // taken from the connection
  Octets received;              // decrypted by the client
  std::vector<std::uint8_t> scratch = std::vector<std::uint8_t>(16'384);
  OctetQueue plaintext;
};

}  // namespace sotto::test
