#include "sotto.h"

#include <algorithm>
#include <chrono>

#include "network.h"

namespace sotto::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t cache_octets = 1'024 * 1'024;

}  // namespace

Sotto::Sotto(const Settings& settings, LinkOpener& opener, const Instant& clock_now, Trace& trace)
    : settings_(settings),
      trace_(trace),
      random(settings.seed),
      pool(opener, backoffs, *this, upstream_counters, random, clock_now),
      exchanges(pool, upstream_counters, clock_now),
      cache(cache_octets, clock_now, random),
      forwarder(exchanges, cache, counters, random, clock_now),
      turn(exchanges, forwarder, clock_now) {
  exchanges.set_timeout(milliseconds{settings.timeout});
  cache.set_stale_max_age(std::chrono::seconds{settings.stale});
}

std::set<unsigned> Sotto::configure(unsigned change) {
  std::set<unsigned> configured;
  std::vector<UpstreamSpec> specs;
  unsigned endpoint = 0;
  for (unsigned at = 0; at < settings_.upstreams.size(); ++at) {
    const UpstreamSetting& setting = settings_.upstreams[at];
    UpstreamSpec spec{.name = "upstream-" + std::to_string(at), .endpoints = {}};
    for (unsigned count = 0; count < setting.endpoints; ++count, ++endpoint) {
      TlsPeerIdentity identity;
      identity.endpoint.port = static_cast<std::uint16_t>(first_port + endpoint);
      spec.endpoints.push_back({identity, nullptr, {}});
      if (change != reload_without + at) configured.insert(endpoint);
    }
    if (change != reload_without + at) specs.push_back(std::move(spec));
  }
  if (change == reload_reversed) std::reverse(specs.begin(), specs.end());
  pool.apply({.groups = {{.name = "default", .upstreams = std::move(specs)}}, .health = {}});
  ForwarderPolicy policy;
  policy.prefetch_percent = settings_.prefetch;
  forwarder.apply(std::move(policy));
  return configured;
}

void Sotto::on_upstream_event(const UpstreamEvent& event) {
  static constexpr const char* names[] = {"connected", "closed",  "suspect",   "unsuspected",
                                          "failed",    "avoided", "recovered", "moved",
                                          "discarded", "no EDNS"};
  trace_.note(names[static_cast<std::size_t>(event.kind)],
              event.endpoint.spec.identity.endpoint.port - first_port);
}

const char* Sotto::miscounted() const {
  const ForwarderCounters& seen = counters;
  const auto in_all = [](std::initializer_list<const Counter*> counted) {
    std::uint64_t sum = 0;
    for (const Counter* counter : counted) sum += counter->value();
    return sum;
  };
  if (seen.queries.value() != in_all({&seen.hits, &seen.misses, &seen.local, &seen.refused,
                                      &seen.malformed, &seen.dropped})) {
    return "queries";
  }
  if (seen.misses.value() != in_all({&seen.coalesced, &seen.forwarded})) return "misses";
  if (in_all({&seen.coalesced, &seen.forwarded}) !=
      in_all({&seen.answered, &seen.stale_waited, &seen.unauthenticated, &seen.unreachable,
              &seen.unanswered, &seen.unusable, &seen.shed, &seen.abandoned}) +
          forwarder.waiting()) {
    return "forwarded and coalesced";
  }
  const UpstreamCounters& sent = upstream_counters;
  const std::uint64_t ended = in_all({&sent.answered, &sent.lost, &sent.abandoned});
  const std::uint64_t begun = in_all({&sent.sent, &sent.resent, &sent.hedged, &sent.probes});
  if (ended > begun) return "more ends than sends";
  std::uint64_t in_flight = 0;
  for (const auto& upstream : pool.upstreams()) {
    for (const auto& endpoint : upstream->endpoints) {
      for (const auto& connection : endpoint->connections) in_flight += connection->outstanding();
    }
  }
  if (exchanges.in_progress() == 0 && ended + in_flight != begun) return "sends";
  return nullptr;
}

const char* Sotto::left_over() {
  if (forwarder.waiting() > 0) return "waiting clients";
  if (exchanges.in_progress() > 0) return "exchanges";
  if (!cache.consistent()) return "an inconsistent cache";
  return nullptr;
}

}  // namespace sotto::sim
