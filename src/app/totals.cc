#include "app/totals.h"

#include <string>

namespace sotto {

namespace {

using Workers = std::vector<std::unique_ptr<Worker>>;

// Adds up what is read of each worker.
template <class Read>
std::uint64_t sum(const Workers& workers, Read read) {
  std::uint64_t total = 0;
  for (const auto& worker : workers) total += read(*worker);
  return total;
}

void log_clients(Log& log, const Workers& workers) {
  using F = ForwarderCounters;
  const auto total = [&workers](Counter F::*counter) {
    return sum(workers, [&](const Worker& one) { return (one.counters().*counter).value(); });
  };
  log.info("stopped.clients", "queries of clients",
           {{"queries", total(&F::queries)},
            {"hits", total(&F::hits)},
            {"misses", total(&F::misses)},
            {"stale", total(&F::stale)},
            {"stale_waited", total(&F::stale_waited)},
            {"failures_held", total(&F::failures_held)},
            {"prefetched", total(&F::prefetched)},
            {"rechecked", total(&F::rechecked)},
            {"answered", total(&F::answered)},
            {"unauthenticated", total(&F::unauthenticated)},
            {"unreachable", total(&F::unreachable)},
            {"unanswered", total(&F::unanswered)},
            {"unusable", total(&F::unusable)},
            {"local", total(&F::local)},
            {"refused", total(&F::refused)},
            {"malformed", total(&F::malformed)},
            {"dropped", total(&F::dropped)},
            {"shed", total(&F::shed)},
            {"coalesced", total(&F::coalesced)},
            {"forwarded", total(&F::forwarded)},
            {"abandoned", total(&F::abandoned)}});
}

void log_udp(Log& log, const Workers& workers) {
  const auto queries = sum(workers, [](const Worker& one) { return one.udp_queries(); });
  const auto unsent = sum(workers, [](const Worker& one) { return one.udp_unsent(); });
  // Datagrams of proxies without a PROXY header, or with a malformed one.
  const auto refused = sum(workers, [](const Worker& one) { return one.udp_headers_refused(); });
  log.info("stopped.udp", "queries of clients over UDP",
           {{"queries", queries}, {"unsent", unsent}, {"headers_refused", refused}});
}

// Why connections ended without having been of use.
std::string failures_text(const Workers& workers, StreamTransport transport) {
  std::string text;
  for (std::size_t at = 0; at < stream_failures; ++at) {
    const auto count = sum(workers, [&](const Worker& one) {
      return one.stream_counters()[transport].failed[at].value();
    });
    if (count == 0) continue;
    text += (text.empty() ? "" : " ") + std::string(to_text(static_cast<StreamFailure>(at))) + ":" +
            std::to_string(count);
  }
  return text;
}

void log_stream(Log& log, const Workers& workers, StreamTransport transport, LogKind kind,
                std::string_view message) {
  using T = StreamCounters;
  const auto total = [&](Counter T::*counter) {
    return sum(workers, [&](const Worker& one) {
      return (one.stream_counters()[transport].*counter).value();
    });
  };
  const auto queries = sum(workers, [&](const Worker& one) {
    return one.stream_counters()[transport].messages.queries.value();
  });
  if (transport == StreamTransport::tcp) {
    log.info(kind, message,
             {{"queries", queries},
              {"accepted", total(&T::accepted)},
              {"rejected", total(&T::rejected)},
              {"closed_idle", total(&T::closed_idle)},
              {"closed_slow", total(&T::closed_slow)},
              {"failed", failures_text(workers, transport)},
              {"accept_failed", total(&T::accept_failed)}});
    return;
  }
  log.info(kind, message,
           {{"queries", queries},
            {"accepted", total(&T::accepted)},
            {"rejected", total(&T::rejected)},
            {"handshakes", total(&T::handshakes)},
            {"resumed", total(&T::resumed)},
            {"closed_idle", total(&T::closed_idle)},
            {"closed_slow", total(&T::closed_slow)},
            {"failed", failures_text(workers, transport)},
            {"accept_failed", total(&T::accept_failed)}});
}

void log_requests(Log& log, const Workers& workers) {
  const auto total = [&workers](Counter DohCounters::*counter) {
    return sum(workers,
               [&](const Worker& one) { return (one.stream_counters().doh.*counter).value(); });
  };
  std::string ended;
  for (std::size_t at = 0; at < http2_endings; ++at) {
    const auto ending = static_cast<Http2Ending>(at);
    const auto count = sum(workers, [ending](const Worker& one) {
      return one.stream_counters().doh.ending(ending).value();
    });
    if (count == 0) continue;
    ended += (ended.empty() ? "" : " ") + std::string(http2_ending_text(ending)) + ":" +
             std::to_string(count);
  }
  log.info("stopped.requests", "requests of clients over HTTPS",
           {{"answered", total(&DohCounters::ok)},
            {"refused", total(&DohCounters::refused)},
            {"http1", total(&DohCounters::http1)},
            {"ended", ended}});
}

void log_upstreams(Log& log, const Workers& workers) {
  using U = UpstreamCounters;
  const auto total = [&workers](Counter U::*counter) {
    return sum(workers,
               [&](const Worker& one) { return (one.upstream_counters().*counter).value(); });
  };
  log.info("stopped.upstreams", "queries to upstreams",
           {{"sent", total(&U::sent)},
            {"resent", total(&U::resent)},
            {"hedged", total(&U::hedged)},
            {"probes", total(&U::probes)},
            {"answered", total(&U::answered)},
            {"lost", total(&U::lost)},
            {"abandoned", total(&U::abandoned)},
            {"late", total(&U::late)},
            {"mismatched", total(&U::mismatched)},
            {"unasked", total(&U::unasked)},
            {"malformed", total(&U::malformed)},
            {"connections", total(&U::connections)},
            {"handshakes", total(&U::handshakes)},
            {"resumed", total(&U::resumed)},
            {"failed_transport", total(&U::failed_transport)},
            {"failed_authentication", total(&U::failed_authentication)},
            {"suspected", total(&U::suspected)}});
}

// Did anybody connect, or try?
bool was_used(const Workers& workers, StreamTransport transport) {
  return sum(workers, [transport](const Worker& one) {
           const StreamCounters& counters = one.stream_counters()[transport];
           return counters.accepted.value() + counters.rejected.value();
         }) > 0;
}

}  // namespace

void log_totals(Log& log, const std::vector<std::unique_ptr<Worker>>& workers) {
  log_clients(log, workers);
  log_udp(log, workers);
  log_stream(log, workers, StreamTransport::tcp, "stopped.tcp", "TCP connections of clients");
  if (was_used(workers, StreamTransport::tls)) {
    log_stream(log, workers, StreamTransport::tls, "stopped.tls", "TLS connections of clients");
  }
  if (was_used(workers, StreamTransport::https)) {
    log_stream(log, workers, StreamTransport::https, "stopped.https",
               "HTTPS connections of clients");
    log_requests(log, workers);
  }
  log_upstreams(log, workers);
}

}  // namespace sotto
