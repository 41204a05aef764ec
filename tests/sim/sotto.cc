#include "sotto.h"

#include <algorithm>
#include <chrono>

#include "network.h"

namespace sotto::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t cache_octets = 1'024 * 1'024;

}  // namespace

Worker::Worker(const Settings& settings, unsigned number, LinkOpener& opener,
               BackoffRegistry& backoffs, Cache& cache, const Instant& clock_now, Trace& trace)
    : settings_(settings),
      number_(number),
      trace_(trace),
      random(settings.seed * workers_max + number),
      pool(opener, backoffs, *this, upstream_counters, random, clock_now),
      exchanges(pool, clock_now),
      forwarder(exchanges, cache, counters, random, clock_now),
      turn(exchanges, forwarder, clock_now) {
  exchanges.set_timeout(milliseconds{settings.timeout});
}

Sotto::Sotto(const Settings& settings, Network& network, const Instant& clock_now, Trace& trace)
    : settings_(settings), random_(~settings.seed), cache(cache_octets, clock_now, random_) {
  cache.set_stale_max_age(std::chrono::seconds{settings.stale});
  for (unsigned number = 0; number < settings.workers; ++number) {
    workers.push_back(std::make_unique<Worker>(settings, number, network.opener_of(number),
                                               backoffs, cache, clock_now, trace));
  }
}

std::set<unsigned> Sotto::configure(unsigned change) {
  std::set<unsigned> configured;
  PoolSpec spec;
  spec.hedge_percent = settings_.hedge;
  spec.health.probe_interval = milliseconds{settings_.probe_interval};
  for (const unsigned selection : settings_.groups) {
    const bool changes = change >= reload_selection && change < reload_selection + selections;
    GroupSpec& group = spec.groups.emplace_back();
    group.name = "group-" + std::to_string(spec.groups.size());
    group.selection = static_cast<Selection>(changes ? change - reload_selection : selection);
  }
  unsigned endpoint = 0;
  for (unsigned at = 0; at < settings_.upstreams.size(); ++at) {
    const UpstreamSetting& setting = settings_.upstreams[at];
    UpstreamSpec upstream{.name = "upstream-" + std::to_string(at), .endpoints = {}};
    upstream.keep_warm = milliseconds{settings_.keep_warm};
    for (unsigned count = 0; count < setting.endpoints; ++count, ++endpoint) {
      TlsPeerIdentity identity;
      identity.endpoint.port = static_cast<std::uint16_t>(first_port + endpoint);
      if (change == reload_without + at || change == reload_unresolved + at) continue;
      upstream.endpoints.push_back({.identity = identity, .trust = nullptr, .local = {}});
      configured.insert(endpoint);
    }
    if (change == reload_without + at) continue;
    spec.groups[setting.group].upstreams.push_back(std::move(upstream));
  }
  std::erase_if(spec.groups, [](const GroupSpec& group) { return group.upstreams.empty(); });
  if (change == reload_reversed) {
    for (GroupSpec& group : spec.groups) {
      std::reverse(group.upstreams.begin(), group.upstreams.end());
    }
  }
  ForwarderPolicy policy;
  policy.prefetch_percent = settings_.prefetch;
  for (const auto& worker : workers) {
    worker->pool.apply(spec);
    worker->forwarder.apply(policy);
  }
  return configured;
}

void Worker::on_upstream_event(const UpstreamEvent& event) {
  static constexpr const char* names[] = {"connected", "closed",  "suspect",   "unsuspected",
                                          "failed",    "avoided", "recovered", "moved",
                                          "discarded", "refused", "no EDNS"};
  trace_.note(names[static_cast<std::size_t>(event.kind)], number_,
              event.endpoint.spec.identity.endpoint.port - first_port);
}

const char* Worker::miscounted(bool at_rest) const {
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
  if (seen.misses.value() !=
      in_all({&seen.answered, &seen.stale_waited, &seen.unauthenticated, &seen.unreachable,
              &seen.unanswered, &seen.unusable, &seen.shed, &seen.abandoned}) +
          forwarder.waiting()) {
    return "forwarded and coalesced";
  }
  const UpstreamCounters& sent = upstream_counters;
  const std::uint64_t ended = in_all({&sent.answered, &sent.lost, &sent.abandoned});
  const std::uint64_t begun = in_all({&sent.sent, &sent.resent, &sent.hedged, &sent.probes});
  if (ended > begun) return "more ends than sends";
  if (at_rest && ended != begun) return "sends";
  return nullptr;
}

bool Worker::overspent() const {
  const std::uint64_t begun =
      counters.forwarded.value() + counters.prefetched.value() + counters.rechecked.value();
  const double earned = static_cast<double>(begun) * settings_.hedge / 100;
  return static_cast<double>(upstream_counters.hedged.value()) >
         ShareBudget::saved_max / 4 + earned;
}

const char* Sotto::left_over() const {
  for (const auto& worker : workers) {
    if (worker->forwarder.waiting() > 0) return "waiting clients";
    if (worker->exchanges.in_progress() > 0) return "exchanges";
  }
  return cache.consistent() ? nullptr : "an inconsistent cache";
}

}  // namespace sotto::sim
