#include "app/metrics.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sstream>

#include "sample_reports.h"

namespace sotto {
namespace {

// What encrypted streams count, and what can go wrong with all of them.
void count_streams(WorkerReport& report) {
  std::uint64_t value = 2'000;
  using T = StreamCounters;
  for (const StreamTransport transport : all_stream_transports) {
    StreamCounters& stream = report.streams[transport];
    for (Counter& failed : stream.failed) failed.add(++value);
    if (transport == StreamTransport::tcp) continue;
    for (const auto counter :
         {&T::closed_idle, &T::closed_slow, &T::rejected, &T::accept_failed, &T::resumed}) {
      (stream.*counter).add(++value);
    }
    stream.handshakes.add(++value + stream.resumed.value());
    stream.closed.add(50'000);
    stream.accepted.add(50'000 + ++value);
    stream.messages.queries.add(++value);
    for (const std::size_t code : {0U, 1U, 2U, 3U, 4U, 5U, 16U}) {
      stream.messages.responses[code].add(++value);
    }
  }
  for (Counter* counter :
       {&report.streams.doh.ok, &report.streams.doh.refused, &report.streams.doh.http1}) {
    counter->add(++value);
  }
  for (Counter& ending : report.streams.doh.endings) ending.add(++value);
}

// Every counter has a value of its own, so that none can stand in for another.
WorkerState counted_worker() {
  WorkerState state = test::worker({test::good_upstream()});
  WorkerReport& report = *state.report;
  std::uint64_t value = 1'000;
  using F = ForwarderCounters;
  for (const auto counter :
       {&F::local,       &F::refused,       &F::malformed,    &F::dropped,  &F::hits,
        &F::misses,      &F::failures_held, &F::stale_waited, &F::stale,    &F::prefetched,
        &F::rechecked,   &F::coalesced,     &F::forwarded,    &F::answered, &F::unauthenticated,
        &F::unreachable, &F::unanswered,    &F::unusable,     &F::shed,     &F::abandoned}) {
    (report.forwarder.*counter).add(++value);
  }
  using T = StreamCounters;
  StreamCounters& tcp = report.streams[StreamTransport::tcp];
  for (const auto counter : {&T::closed_idle, &T::closed_slow, &T::rejected, &T::accept_failed}) {
    (tcp.*counter).add(++value);
  }
  tcp.closed.add(8'000);
  tcp.accepted.add(8'100);
  for (TransportCounters* const transport : {&report.udp, &tcp.messages}) {
    transport->queries.add(++value);
    for (const std::size_t code : {0U, 1U, 2U, 3U, 4U, 5U, 16U}) {
      transport->responses[code].add(++value);
    }
  }
  tcp.messages.responses[rcode::yxdomain].add(++value);
  report.udp_unsent = ++value;
  count_streams(report);
  report.waiting = ++value;
  report.hedges_denied = ++value;
  report.udp_headers_refused = ++value;
  return state;
}

ServerCertificate certificate() {
  ServerCertificate certificate;
  certificate.file = "/etc/sotto/dns.pem";
  certificate.expires = WallTime{std::chrono::seconds{1'900'000'000}};
  return certificate;
}

MetricsInput input(std::vector<WorkerState> workers) {
  return {.version = "1.2.3",
          .started = WallTime{std::chrono::milliseconds{1'700'000'000'500}},
          .process = {.cpu_seconds = 1.5,
                      .resident_octets = 2,
                      .virtual_octets = 3,
                      .descriptors = 4,
                      .descriptors_max = 5,
                      .threads = 6},
          .cache = {.entries = 7, .octets = 8, .octets_max = 9, .stored = 10, .evicted = 11},
          .workers = std::move(workers),
          .certificates = {certificate()}};
}

double value_of(const std::string& text, const std::string& series) {
  const std::size_t at = text.find("\n" + series + " ");
  if (at == std::string::npos) {
    ADD_FAILURE() << series << " is missing";
    return -1;
  }
  return std::stod(text.substr(at + series.size() + 2));
}

// The names are an interface: a change of this file breaks somebody's dashboard.
TEST(Metrics, AreWrittenAsTheyAlwaysWere) {
  const std::string path = SOTTO_TEST_FOLDER "/app/metrics.txt";
  std::ifstream file(path);
  std::istringstream text(metrics_text(input({counted_worker()})));
  int number = 0;
  for (std::string expected; std::getline(file, expected);) {
    std::string line;
    std::getline(text, line);
    ++number;
    ASSERT_EQ(line, expected) << path << ":" << number;
  }
  EXPECT_EQ(text.peek(), std::istringstream::traits_type::eof()) << path << " ends too early";
}

TEST(Metrics, AreInTheManual) {
  std::ifstream file(SOTTO_DOC_FOLDER "/manual/watching.md");
  const std::string manual{std::istreambuf_iterator<char>(file), {}};
  std::istringstream text(metrics_text(input({counted_worker()})));
  const std::string begin = "# TYPE ";
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with(begin)) continue;
    const std::string name = line.substr(begin.size(), line.find(' ', begin.size()) - begin.size());
    EXPECT_NE(manual.find("`" + name + "`"), std::string::npos) << name;
  }
}

TEST(Metrics, WorkersAddUp) {
  const std::string one = metrics_text(input({counted_worker()}));
  const std::string two = metrics_text(input({counted_worker(), counted_worker()}));
  for (const char* series :
       {"sotto_queries_total{transport=\"udp\"}",
        "sotto_responses_total{transport=\"tcp\",rcode=\"YXDOMAIN\"}",
        "sotto_query_results_total{result=\"hit\"}", "sotto_queries_waiting",
        "sotto_tcp_connections", "sotto_tls_handshakes_total{kind=\"resumed\"}",
        "sotto_https_requests_total{result=\"refused\"}", "sotto_hedges_denied_total",
        "sotto_upstream_connections{group=\"main\",upstream=\"good\",state=\"ready\"}",
        "sotto_upstream_latency_seconds_count{group=\"main\",upstream=\"good\",phase=\"wait\"}"}) {
    EXPECT_GT(value_of(one, series), 0) << series;
    EXPECT_EQ(value_of(two, series), 2 * value_of(one, series)) << series;
  }
}

TEST(Metrics, CountsOfAStuckWorkerDoNotGoBack) {
  WorkerState stuck = counted_worker();
  stuck.kind = WorkerState::Kind::stuck;
  const std::string text = metrics_text(input({counted_worker(), stuck}));
  EXPECT_EQ(value_of(text, "sotto_worker_up{worker=\"0\"}"), 1);
  EXPECT_EQ(value_of(text, "sotto_worker_up{worker=\"1\"}"), 0);
  EXPECT_EQ(text.substr(text.find("# HELP sotto_queries_total")), [] {
    const std::string both = metrics_text(input({counted_worker(), counted_worker()}));
    return both.substr(both.find("# HELP sotto_queries_total"));
  }());
}

TEST(Metrics, AreThereBeforeAnyWorkerHasReported) {
  const std::string text = metrics_text(input({{WorkerState::Kind::stuck, std::nullopt}}));
  EXPECT_EQ(value_of(text, "sotto_worker_up{worker=\"0\"}"), 0);
  EXPECT_EQ(value_of(text, "sotto_queries_total{transport=\"udp\"}"), 0);
  EXPECT_EQ(text.find("sotto_upstream_usable"), std::string::npos);
}

// Names and files come from the configuration, reasons never become labels.
TEST(Metrics, LabelsAreEscaped) {
  UpstreamReport odd = test::good_upstream();
  odd.name = "a\"b\\c\nd";
  const std::string text = metrics_text(input({test::worker({odd})}));
  EXPECT_EQ(value_of(text, "sotto_upstream_usable{group=\"main\",upstream=\"a\\\"b\\\\c\\nd\"}"),
            1);
}

}  // namespace
}  // namespace sotto
