#include "app/query/run_query.h"

#include <cstdio>

#include "app/config_error.h"
#include "app/query/message_text.h"
#include "app/query/query_io.h"
#include "app/query/query_message.h"
#include "app/query/record_types.h"
#include "app/query/socket_io.h"
#include "app/text.h"
#include "base/random.h"
#include "transport/tls_credentials.h"

namespace sotto {

namespace {

using Transport = QueryServer::Transport;

std::string_view transport_text(Transport transport) {
  switch (transport) {
    case Transport::udp:
      return "UDP";
    case Transport::tcp:
      return "TCP";
    case Transport::tls:
      return "TLS";
    case Transport::https:
      return "HTTPS";
  }
  return {};
}

tl::expected<QueryResult, std::string> ask_over(const QueryOptions& options, Transport transport,
                                                Random& random, Instant deadline) {
  // RFC 8484 §4.1: ID 0, so that caches of HTTP find the same query again.
  const std::uint16_t id = transport == Transport::https ? std::uint16_t{0} : random.next16();
  const auto query = query_message(options, id, transport);
  switch (transport) {
    case Transport::udp:
      return query_udp(options.server.endpoint, query, deadline);
    case Transport::tcp:
      return query_tcp(options.server.endpoint, query, deadline);
    case Transport::tls:
      return query_tls(options.server, options.ca_file, query, deadline);
    case Transport::https:
      return query_https(options.server, options.get, options.ca_file, query, deadline);
  }
  return tl::unexpected<std::string>("no transport");
}

std::string footer(const QueryOptions& options, Transport transport, const QueryResult& result,
                   Duration elapsed) {
  std::string text;
  for (const std::string& note : result.notes) text += ";; " + note + "\n";
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
  text += ";; server: " + options.server.endpoint.text() + " over " +
          std::string(transport_text(transport));
  if (!result.tls.empty()) {
    const std::string& name = options.server.auth_name;
    text += ", " + escaped(result.tls) + ", authenticated as " +
            (name.empty() ? options.server.endpoint.ip.text() : name);
  }
  const std::string decimals = std::to_string(1'000 + microseconds % 1'000).substr(1);
  return text + "\n;; time: " + std::to_string(microseconds / 1'000) + "." + decimals +
         " ms, size: " + std::to_string(result.message.size()) + " octets\n";
}

}  // namespace

int run_query(const QueryOptions& asked) {
  QueryOptions options = asked;
  if (options.server.transport >= Transport::tls && !options.ca_file.empty() &&
      !TlsTrust::load(options.ca_file)) {
    std::fprintf(stderr, "sotto: %s\n",
                 complaint("no certificate can be read from the CA file", options.ca_file,
                           "it must hold certificates in PEM form")
                     .c_str());
    return 2;
  }
  if (!options.server.host.empty()) {
    const auto address = look_up(options.server.host);
    if (!address) {
      std::fprintf(stderr, "sotto: %s\n", address.error().c_str());
      return 1;
    }
    options.server.endpoint.ip = *address;
  }
  Random random;
  const Instant begin = monotonic_now();
  const Instant deadline = begin + options.timeout;
  Transport transport = options.server.transport;
  auto result = ask_over(options, transport, random, deadline);
  if (result && transport == Transport::udp && message_text(result->message).truncated) {
    // RFC 7766 §5: a truncated answer is asked for again over TCP.
    transport = Transport::tcp;
    result = ask_over(options, transport, random, deadline);
    if (result) result->notes.insert(result->notes.begin(), "truncated over UDP, asked over TCP");
  }
  if (!result) {
    std::fprintf(stderr, "sotto: no answer from %s over %s: %s\n",
                 options.server.endpoint.text().c_str(), transport_text(transport).data(),
                 result.error().c_str());
    return 1;
  }
  const MessageText shown = message_text(result->message);
  const std::string text =
      options.brief ? shown.answers
                    : shown.text + footer(options, transport, *result, monotonic_now() - begin);
  std::fputs(text.c_str(), stdout);
  const bool good =
      shown.whole && (shown.rcode == rcode::noerror || shown.rcode == rcode::nxdomain);
  if (options.brief && !good) {
    std::fprintf(stderr, "sotto: %s\n",
                 shown.whole ? rcode_text(shown.rcode).c_str() : "the answer is malformed");
  }
  return good ? 0 : 1;
}

}  // namespace sotto
