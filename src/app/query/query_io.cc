#include "app/query/query_io.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/query/https_exchange.h"
#include "app/query/query_message.h"
#include "app/query/socket_io.h"
#include "app/text.h"
#include "dns/framing.h"
#include "dns/wire.h"
#include "transport/tls_engine.h"

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;
using Answer = OrText<QueryResult>;

// A datagram may be lost: the query is sent this many times before the deadline.
constexpr int datagram_tries = 3;
constexpr std::size_t read_octets = 16'384;  // one TLS record

std::vector<std::uint8_t> framed(std::span<const std::uint8_t> query) {
  std::vector<std::uint8_t> octets(stream_length_octets);
  store16(octets.data(), static_cast<std::uint16_t>(query.size()));
  octets.insert(octets.end(), query.begin(), query.end());
  return octets;
}

// The answer to this query among the messages that have arrived, if it has.
bool take_answer(StreamFramer& framer, std::span<const std::uint8_t> query, QueryResult& result) {
  while (const auto message = framer.next()) {
    if (answers(*message, query)) {
      result.message.assign(message->begin(), message->end());
      return true;
    }
    result.notes.emplace_back("ignored a message that does not answer the query");
  }
  return false;
}

void fill(StreamFramer& framer, std::span<const std::uint8_t> octets) {
  const auto space = framer.space(octets.size());
  std::copy(octets.begin(), octets.end(), space.begin());
  framer.filled(octets.size());
}

// What is spoken over TLS. No I/O.
class Talk {
 public:
  virtual ~Talk() = default;
  // What is to leave now.
  virtual std::vector<std::uint8_t> output() = 0;
  // True once the query is answered; the error says why it never will be.
  virtual OrText<bool> receive(std::span<const std::uint8_t> octets, QueryResult& result) = 0;
};

class DnsTalk final : public Talk {
 public:
  explicit DnsTalk(std::span<const std::uint8_t> query) : query_(query), output_(framed(query)) {}
  std::vector<std::uint8_t> output() override { return std::exchange(output_, {}); }
  OrText<bool> receive(std::span<const std::uint8_t> octets, QueryResult& result) override {
    fill(framer_, octets);
    return take_answer(framer_, query_, result);
  }

 private:
  std::span<const std::uint8_t> query_;
  std::vector<std::uint8_t> output_;
  StreamFramer framer_;
};

class HttpsTalk final : public Talk {
 public:
  HttpsTalk(HttpsExchange::Question question, std::span<const std::uint8_t> query)
      : query_(query), exchange_(std::move(question)) {}
  std::vector<std::uint8_t> output() override { return exchange_.output(); }
  OrText<bool> receive(std::span<const std::uint8_t> octets, QueryResult& result) override {
    exchange_.receive(octets);
    if (!exchange_.done()) return false;
    if (std::string fault = exchange_.fault(); !fault.empty()) return Failure(std::move(fault));
    result.message = exchange_.message();
    if (!answers(result.message, query_)) {
      return Failure("the response does not answer the query");
    }
    const std::string& cache_control = exchange_.cache_control();
    if (!cache_control.empty()) result.notes.push_back("cache-control: " + escaped(cache_control));
    return true;
  }

 private:
  std::span<const std::uint8_t> query_;
  HttpsExchange exchange_;
};

// TLS over a socket until the query is answered.
class TlsExchange {
 public:
  TlsExchange(QuerySocket& socket, TlsEngine& engine, Instant deadline)
      : socket_(socket), engine_(engine), deadline_(deadline) {}

  OrText<void> handshake();
  Answer ask(Talk& talk);

 private:
  OrText<void> say(Talk& talk);
  OrText<void> flush();
  OrText<void> receive();

  QuerySocket& socket_;
  TlsEngine& engine_;
  Instant deadline_;
};

OrText<void> TlsExchange::flush() {
  const auto output = engine_.output();
  const std::size_t count = output.size();
  if (auto sent = socket_.send(output, deadline_); !sent) return sent;
  engine_.sent(count);
  return {};
}

OrText<void> TlsExchange::receive() {
  const auto count = socket_.receive(engine_.input_space(read_octets), deadline_);
  if (!count) return Failure(count.error());
  if (*count == 0) {
    engine_.input_ended();
  } else {
    engine_.received(*count);
  }
  return {};
}

OrText<void> TlsExchange::handshake() {
  for (;;) {  // each turn takes in octets of the server; the deadline ends the waiting
    const TlsEngine::State state = engine_.handshake();
    // The alert that tells the server why, too.
    if (auto sent = flush(); !sent && state == TlsEngine::State::handshaking) return sent;
    if (state == TlsEngine::State::ready) return {};
    if (state == TlsEngine::State::failed) return Failure("TLS: " + engine_.failure().reason);
    if (state == TlsEngine::State::closed) return Failure("TLS: closed during the handshake");
    if (auto received = receive(); !received) return Failure("TLS handshake: " + received.error());
  }
}

OrText<void> TlsExchange::say(Talk& talk) {
  const auto octets = talk.output();
  if (octets.empty()) return {};
  engine_.write(octets);
  return flush();
}

Answer TlsExchange::ask(Talk& talk) {
  QueryResult result;
  result.tls = engine_.description();
  std::vector<std::uint8_t> buffer(read_octets);
  for (;;) {  // as above
    while (const std::size_t count = engine_.read(buffer)) {
      const auto answered = talk.receive(std::span(buffer).first(count), result);
      if (!answered) return Failure(answered.error());
      if (!*answered) continue;
      engine_.close();
      static_cast<void>(flush());
      return result;
    }
    if (engine_.state() == TlsEngine::State::failed) {
      return Failure("TLS: " + engine_.failure().reason);
    }
    if (engine_.state() == TlsEngine::State::closed) {
      return Failure("the server closed the connection without an answer");
    }
    if (auto said = say(talk); !said) return Failure(said.error());
    if (auto received = receive(); !received) return Failure(received.error());
  }
}

// alpn: of what talk speaks.
Answer ask_over_tls(const QueryServer& server, const std::string& ca_file, const char* alpn,
                    Talk& talk, Instant deadline) {
  auto trust = TlsTrust::load(ca_file);
  if (!trust) {
    return Failure("cannot read the certificate authorities" +
                   (ca_file.empty() ? std::string(" of the system") : " in " + ca_file));
  }
  auto socket = QuerySocket::stream(server.endpoint, deadline);
  if (!socket) return Failure(socket.error());
  TlsTicketStore tickets;
  const TlsPeerIdentity peer{server.endpoint, server.auth_name, {}, ca_file};
  const auto engine = TlsEngine::client(*trust, peer, tickets, alpn);
  TlsExchange exchange(*socket, *engine, deadline);
  if (auto ready = exchange.handshake(); !ready) return Failure(ready.error());
  return exchange.ask(talk);
}

}  // namespace

Answer query_udp(const SocketAddress& server, std::span<const std::uint8_t> query,
                 Instant deadline) {
  auto socket = QuerySocket::datagram(server);
  if (!socket) return Failure(socket.error());
  QueryResult result;
  std::vector<std::uint8_t> buffer(message_octets_max);
  const Duration patience = (deadline - monotonic_now()) / datagram_tries;
  for (int attempt = 1; attempt <= datagram_tries; ++attempt) {
    if (auto sent = socket->send(query, deadline); !sent) return Failure(sent.error());
    const Instant end = attempt == datagram_tries ? deadline : monotonic_now() + patience;
    auto count = socket->receive(buffer, end);
    for (; count; count = socket->receive(buffer, end)) {
      const auto message = std::span(buffer).first(*count);
      if (answers(message, query)) {
        result.message.assign(message.begin(), message.end());
        return result;
      }
      result.notes.emplace_back("ignored a message that does not answer the query");
    }
    if (count.error() != QuerySocket::timed_out) return Failure(count.error());
    if (attempt < datagram_tries) result.notes.emplace_back("no answer yet, asked again");
  }
  return Failure(std::string(QuerySocket::timed_out) + " after " + std::to_string(datagram_tries) +
                 " tries");
}

Answer query_tcp(const SocketAddress& server, std::span<const std::uint8_t> query,
                 Instant deadline) {
  auto socket = QuerySocket::stream(server, deadline);
  if (!socket) return Failure(socket.error());
  if (auto sent = socket->send(framed(query), deadline); !sent) return Failure(sent.error());
  QueryResult result;
  StreamFramer framer;
  for (;;) {  // each turn takes in octets of the server; the deadline ends the waiting
    const auto count = socket->receive(framer.space(read_octets), deadline);
    if (!count) return Failure(count.error());
    if (*count == 0) return Failure("the server closed the connection without an answer");
    framer.filled(*count);
    if (take_answer(framer, query, result)) return result;
  }
}

Answer query_tls(const QueryServer& server, const std::string& ca_file,
                 std::span<const std::uint8_t> query, Instant deadline) {
  DnsTalk talk(query);
  return ask_over_tls(server, ca_file, "dot", talk, deadline);
}

Answer query_https(const QueryServer& server, bool get, const std::string& ca_file,
                   std::span<const std::uint8_t> query, Instant deadline) {
  HttpsTalk talk({.authority = server.authority,
                  .path = server.path,
                  .get = get,
                  .body = {query.begin(), query.end()}},
                 query);
  return ask_over_tls(server, ca_file, "h2", talk, deadline);
}

}  // namespace sotto
