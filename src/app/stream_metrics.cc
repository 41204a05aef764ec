#include "app/stream_metrics.h"

#include <chrono>
#include <string>

#include "app/report_sums.h"

namespace sotto {

namespace {

constexpr std::string_view shown_name(StreamTransport transport) {
  switch (transport) {
    case StreamTransport::tcp:
      return "TCP";
    case StreamTransport::tls:
      return "TLS";
    case StreamTransport::https:
      return "HTTPS";
  }
  return {};
}

// What can go wrong on plain TCP, too.
constexpr bool is_without_tls(StreamFailure failure) {
  return failure == StreamFailure::proxy_header || failure == StreamFailure::too_slow;
}

class StreamFamilies {
 public:
  StreamFamilies(MetricFamilies& families, const std::vector<WorkerState>& workers,
                 StreamTransport transport)
      : families_(families), workers_(workers), transport_(transport) {}

  void add_connections() {
    const std::uint64_t accepted = total(&StreamCounters::accepted);
    families_.gauge(name("connections"), help(" connections of clients that are open."))
        .add({}, accepted - total(&StreamCounters::closed));
    families_.counter(name("connections_accepted_total"), help(" connections of clients."))
        .add({}, accepted);
    families_
        .counter(name("connections_rejected_total"),
                 help(" connections of clients beyond a limit, closed at once."))
        .add({}, total(&StreamCounters::rejected));
    add_ends();
    families_
        .counter(name("accept_failures_total"),
                 "Times that no connection could be accepted for want of descriptors or memory.")
        .add({}, total(&StreamCounters::accept_failed));
  }

  void add_handshakes() {
    const std::uint64_t resumed = total(&StreamCounters::resumed);
    MetricFamily& family = families_.counter(name("handshakes_total"),
                                             help(" handshakes of clients that were completed."));
    family.add({{"kind", "full"}}, total(&StreamCounters::handshakes) - resumed);
    family.add({{"kind", "resumed"}}, resumed);
  }

 private:
  void add_ends() {
    MetricFamily& ends = families_.counter(name("connections_closed_total"),
                                           help(" connections of clients that have ended."));
    std::uint64_t named = 0;
    const auto add = [&](std::string_view reason, std::uint64_t count) {
      ends.add({{"reason", reason}}, count);
      named += count;
    };
    add("idle", total(&StreamCounters::closed_idle));
    add("slow", total(&StreamCounters::closed_slow));
    for (std::size_t at = 0; at < stream_failures; ++at) {
      const auto failure = static_cast<StreamFailure>(at);
      if (!is_encrypted(transport_) && !is_without_tls(failure)) continue;
      add(to_text(failure), sum_reports(workers_, [&](const WorkerReport& report) {
            return report.streams[transport_].failed[at].value();
          }));
    }
    ends.add({{"reason", "other"}}, total(&StreamCounters::closed) - named);
  }

  std::uint64_t total(Counter StreamCounters::*counter) const {
    return sum_reports(workers_, [&](const WorkerReport& report) {
      return (report.streams[transport_].*counter).value();
    });
  }
  std::string name(std::string_view end) const {
    return "sotto_" + std::string(to_text(transport_)) + "_" + std::string(end);
  }
  std::string help(std::string_view end) const {
    return std::string(shown_name(transport_)) + std::string(end);
  }

  MetricFamilies& families_;
  const std::vector<WorkerState>& workers_;
  StreamTransport transport_;
};

void add_requests(MetricFamilies& families, const std::vector<WorkerState>& workers) {
  const auto total = [&workers](Counter DohCounters::*counter) {
    return sum_reports(workers, [counter](const WorkerReport& report) {
      return (report.streams.doh.*counter).value();
    });
  };
  MetricFamily& requests = families.counter(
      "sotto_https_requests_total",
      "Requests over HTTPS that were answered with an answer of DNS (status 200), refused as no "
      "query (4xx), or of a client of HTTP/1 (505).");
  requests.add({{"result", "answered"}}, total(&DohCounters::ok));
  requests.add({{"result", "refused"}}, total(&DohCounters::refused));
  requests.add({{"result", "http1"}}, total(&DohCounters::http1));
  MetricFamily& ended = families.counter("sotto_https_connections_ended_total",
                                         "HTTPS connections that sotto ended because of what the "
                                         "client did.");
  for (std::size_t at = 0; at < http2_endings; ++at) {
    const auto ending = static_cast<Http2Ending>(at);
    if (ending == Http2Ending::none || ending == Http2Ending::goodbye) continue;
    ended.add({{"cause", http2_ending_text(ending)}},
              sum_reports(workers, [ending](const WorkerReport& report) {
                return report.streams.doh.ending(ending).value();
              }));
  }
}

}  // namespace

void add_streams(MetricFamilies& families, const std::vector<WorkerState>& workers) {
  for (const StreamTransport transport : all_stream_transports) {
    StreamFamilies of(families, workers, transport);
    of.add_connections();
    if (is_encrypted(transport)) of.add_handshakes();
  }
  add_requests(families, workers);
}

void add_certificates(MetricFamilies& families,
                      const std::vector<ServerCertificate>& certificates) {
  MetricFamily& family =
      families.gauge("sotto_server_certificate_expiry_timestamp_seconds",
                     "When the certificate shown to clients expires, since 1970 UTC.");
  for (const ServerCertificate& certificate : certificates) {
    family.add({{"file", certificate.file}},
               std::chrono::duration<double>(certificate.expires.time_since_epoch()).count());
  }
}

}  // namespace sotto
