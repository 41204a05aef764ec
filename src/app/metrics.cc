#include "app/metrics.h"

#include "app/metric_families.h"
#include "app/query/record_types.h"
#include "app/report_sums.h"
#include "app/stream_metrics.h"
#include "app/upstream_metrics.h"

namespace sotto {

namespace {

struct LabelledCounter {
  std::string_view label;
  Counter ForwarderCounters::*counter;
};
using F = ForwarderCounters;

constexpr LabelledCounter query_results[] = {
    {"hit", &F::hits},        {"miss", &F::misses},         {"local", &F::local},
    {"refused", &F::refused}, {"malformed", &F::malformed}, {"dropped", &F::dropped},
};
constexpr LabelledCounter miss_exchanges[] = {{"begun", &F::forwarded}, {"joined", &F::coalesced}};
constexpr LabelledCounter wait_results[] = {
    {"answered", &F::answered},
    {"stale", &F::stale_waited},
    {"unauthenticated", &F::unauthenticated},
    {"unreachable", &F::unreachable},
    {"unanswered", &F::unanswered},
    {"unusable", &F::unusable},
    {"shed", &F::shed},
    {"abandoned", &F::abandoned},
};
constexpr LabelledCounter refresh_reasons[] = {{"expiring", &F::prefetched},
                                               {"stale", &F::rechecked}};

// Always there, so that a rate can be taken of the first one; others once they have been sent.
constexpr bool is_common(std::size_t code) {
  return code <= rcode::refused || code == rcode::badvers;
}

void add_process(MetricFamilies& families, const MetricsInput& input) {
  families.gauge("sotto_build_info", "The version that runs; always 1.")
      .add({{"version", input.version}}, 1);
  const ProcessUsage& process = input.process;
  families.gauge("process_start_time_seconds", "When sotto was started, since 1970 UTC.")
      .add({}, std::chrono::duration<double>(input.started.time_since_epoch()).count());
  families.counter("process_cpu_seconds_total", "CPU time used, in the kernel too.")
      .add({}, process.cpu_seconds);
  families.gauge("process_resident_memory_bytes", "Memory in use.")
      .add({}, process.resident_octets);
  families.gauge("process_virtual_memory_bytes", "Address space in use.")
      .add({}, process.virtual_octets);
  families.gauge("process_open_fds", "Descriptors that are open.").add({}, process.descriptors);
  families.gauge("process_max_fds", "Descriptors that may be open.")
      .add({}, process.descriptors_max);
  families.gauge("process_threads", "Threads.").add({}, process.threads);
  MetricFamily& up = families.gauge("sotto_worker_up", "1: its loop turned within a second.");
  for (std::size_t at = 0; at < input.workers.size(); ++at) {
    const bool is_up = input.workers[at].kind == WorkerState::Kind::up;
    up.add({{"worker", std::to_string(at)}}, is_up ? 1 : 0);
  }
}

template <std::size_t Count>
void add_labelled(MetricFamily& family, std::string_view label,
                  const LabelledCounter (&counters)[Count],
                  const std::vector<WorkerState>& workers) {
  for (const LabelledCounter& one : counters) {
    family.add({{label, one.label}}, sum_reports(workers, [&one](const WorkerReport& report) {
                 return (report.forwarder.*one.counter).value();
               }));
  }
}

// of: the counters of this transport in a report.
template <class Of>
void add_transport(MetricFamily& queries, MetricFamily& responses, std::string_view transport,
                   const std::vector<WorkerState>& workers, Of of) {
  queries.add({{"transport", transport}}, sum_reports(workers, [of](const WorkerReport& report) {
                return of(report).queries.value();
              }));
  for (std::size_t code = 0; code < TransportCounters::rcodes; ++code) {
    const std::uint64_t sent = sum_reports(workers, [of, code](const WorkerReport& report) {
      return of(report).responses[code].value();
    });
    if (sent == 0 && !is_common(code)) continue;
    responses.add(
        {{"transport", transport}, {"rcode", rcode_text(static_cast<std::uint16_t>(code))}}, sent);
  }
}

void add_queries(MetricFamilies& families, const std::vector<WorkerState>& workers) {
  MetricFamily queries(MetricFamily::Type::Counter, "sotto_queries_total", "Queries of clients.");
  MetricFamily responses(MetricFamily::Type::Counter, "sotto_responses_total",
                         "Responses to clients.");
  add_transport(queries, responses, "udp", workers,
                [](const WorkerReport& report) -> const TransportCounters& { return report.udp; });
  for (const StreamTransport transport : all_stream_transports) {
    add_transport(queries, responses, to_text(transport), workers,
                  [transport](const WorkerReport& report) -> const TransportCounters& {
                    return report.streams[transport].messages;
                  });
  }
  families.add(std::move(queries));
  families.add(std::move(responses));
  add_labelled(families.counter("sotto_query_results_total",
                                "Queries by what became of them at once; as many as "
                                "sotto_queries_total."),
               "result", query_results, workers);
  add_labelled(families.counter("sotto_misses_total",
                                "Misses by whether the same question was being asked already."),
               "exchange", miss_exchanges, workers);
  add_labelled(families.counter("sotto_wait_results_total",
                                "Misses by how the wait for upstreams ended; with "
                                "sotto_queries_waiting as many as sotto_misses_total."),
               "result", wait_results, workers);
  families.gauge("sotto_queries_waiting", "Queries of clients that wait for upstreams.")
      .add({}, sum_reports(workers, [](const WorkerReport& report) { return report.waiting; }));
}

void add_answers(MetricFamilies& families, const std::vector<WorkerState>& workers) {
  const auto total = [&workers](Counter F::*counter) {
    return sum_reports(workers, [counter](const WorkerReport& report) {
      return (report.forwarder.*counter).value();
    });
  };
  const std::uint64_t stale_waited = total(&F::stale_waited);
  MetricFamily& stale =
      families.counter("sotto_stale_responses_total", "Answers given past their TTL.");
  stale.add({{"given", "at_once"}}, total(&F::stale) - stale_waited);
  stale.add({{"given", "after_wait"}}, stale_waited);
  families
      .counter("sotto_failure_hits_total", "Hits that were a failure remembered from upstreams.")
      .add({}, total(&F::failures_held));
  add_labelled(families.counter("sotto_refreshes_total",
                                "Questions asked anew though the cache had an answer."),
               "reason", refresh_reasons, workers);
  families
      .counter("sotto_udp_responses_unsent_total", "UDP responses that the kernel did not take.")
      .add({}, sum_reports(workers, [](const WorkerReport& report) { return report.udp_unsent; }));
  families
      .counter("sotto_udp_proxy_headers_refused_total",
               "UDP datagrams of proxies dropped, as their PROXY header was missing or malformed.")
      .add({}, sum_reports(workers,
                           [](const WorkerReport& report) { return report.udp_headers_refused; }));
}

void add_cache(MetricFamilies& families, const CacheStats& cache) {
  families.gauge("sotto_cache_entries", "Answers and failures kept.").add({}, cache.entries);
  families.gauge("sotto_cache_bytes", "Memory the cache has in use, all overhead included.")
      .add({}, cache.octets);
  families.gauge("sotto_cache_limit_bytes", "Memory the cache may use.").add({}, cache.octets_max);
  families.counter("sotto_cache_stored_total", "Answers and failures stored.")
      .add({}, cache.stored);
  families.counter("sotto_cache_evicted_total", "Answers and failures that made room for others.")
      .add({}, cache.evicted);
}

}  // namespace

std::string metrics_text(const MetricsInput& input) {
  MetricFamilies families;
  add_process(families, input);
  add_queries(families, input.workers);
  add_answers(families, input.workers);
  add_streams(families, input.workers);
  add_certificates(families, input.certificates);
  add_cache(families, input.cache);
  add_upstreams(families, merge_reports(input.workers));
  return families.text();
}

}  // namespace sotto
