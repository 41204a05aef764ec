#include <algorithm>
#include <array>
#include <iterator>

#include "base/random.h"
#include "scenario.h"
#include "sotto.h"

namespace sotto::sim {
namespace {

constexpr unsigned popular_names = 30;
constexpr unsigned fresh_names = 1'000;
constexpr unsigned flood_names = 100'000;
constexpr unsigned queries_max = 500;
// More than one client may have waiting (waiting_per_client_max).
constexpr unsigned flood_queries = 5'000;

// What one faulty upstream may do while another one is well.
constexpr Fault any_fault[] = {Fault::reset,
                               Fault::reset_often,
                               Fault::half_open,
                               Fault::fin,
                               Fault::fin_after,
                               Fault::fin_idle,
                               Fault::fin_at_once,
                               Fault::silence,
                               Fault::zero_window,
                               Fault::slow,
                               Fault::loss,
                               Fault::stall,
                               Fault::trickle,
                               Fault::refuse,
                               Fault::no_route,
                               Fault::connect_hole,
                               Fault::handshake_hole,
                               Fault::slow_handshake,
                               Fault::bad_certificate,
                               Fault::no_resumption,
                               Fault::reorder,
                               Fault::slow_answers,
                               Fault::no_answers,
                               Fault::other_question,
                               Fault::other_id,
                               Fault::swapped_ids,
                               Fault::garbage,
                               Fault::header_only,
                               Fault::duplicate,
                               Fault::unasked,
                               Fault::servfail,
                               Fault::refused,
                               Fault::formerr,
                               Fault::keepalive_zero};
// What the only upstream may do for a moment without a query being lost.
constexpr Fault brief_faults[] = {
    Fault::reset,    Fault::half_open,      Fault::fin,         Fault::fin_after,
    Fault::fin_idle, Fault::loss,           Fault::stall,       Fault::trickle,
    Fault::refuse,   Fault::slow_handshake, Fault::no_route,    Fault::no_resumption,
    Fault::reorder,  Fault::duplicate,      Fault::unasked,     Fault::formerr,
    Fault::slow,     Fault::keepalive_zero, Fault::zero_window, Fault::silence};
// What sotto is told of, so that it need not wait to find out.
constexpr Fault told_faults[] = {Fault::reset,    Fault::fin,           Fault::fin_after,
                                 Fault::fin_idle, Fault::trickle,       Fault::duplicate,
                                 Fault::unasked,  Fault::no_resumption, Fault::formerr,
                                 Fault::reset,    Fault::keepalive_zero};
constexpr Fault told_faults_elsewhere[] = {Fault::refuse,          Fault::no_route,
                                           Fault::bad_certificate, Fault::reset_often,
                                           Fault::fin_at_once,     Fault::other_question};
// What leaves a query without an answer and without a word. A group is asked by itself: another one
// does not make up for it.
constexpr Fault swallowing_faults[] = {Fault::slow_answers, Fault::no_answers, Fault::swapped_ids};
constexpr Fault vanishing_faults[] = {Fault::silence, Fault::no_route, Fault::connect_hole,
                                      Fault::refuse, Fault::handshake_hole};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : dice_(seed ^ 0x5157'4D05'1A11'7E57U) {
    scenario_.settings.seed = seed;
  }

  Scenario generate() {
    switch (dice_.below(5)) {
      case 0:
        one_upstream();
        break;
      case 1:
        chaos();
        break;
      case 2:
        nothing_untold();
        break;
      default:
        one_is_well();
        break;
    }
    queries();
    if (floods_) flood();
    std::stable_sort(scenario_.faults.begin(), scenario_.faults.end(),
                     [](const auto& left, const auto& right) { return left.at < right.at; });
    return std::move(scenario_);
  }

 private:
  unsigned between(unsigned low, unsigned high) {
    return low + static_cast<unsigned>(dice_.below(high - low + 1));
  }
  bool one_in(unsigned count) { return dice_.below(count) == 0; }
  template <class Table>
  auto pick(const Table& table) {
    return table[dice_.below(std::size(table))];
  }

  void settings(unsigned upstreams, unsigned groups) {
    Settings& settings = scenario_.settings;
    settings.groups.clear();
    for (unsigned at = 0; at < groups; ++at) {
      settings.groups.push_back(one_in(2) ? 0 : between(0, selections - 1));
    }
    for (unsigned at = 0; at < upstreams; ++at) {
      UpstreamSetting upstream;
      upstream.group = at < groups ? at : between(0, groups - 1);
      upstream.endpoints = one_in(3) ? 2 : 1;
      upstream.latency = one_in(5) ? between(50, 150) : between(1, 30);
      upstream.jitter = between(0, upstream.latency / 2);
      upstream.idle_close = one_in(4) ? between(1'000, 9'000) : 10'000;
      settings.upstreams.push_back(upstream);
    }
    if (one_in(4)) settings.workers = 2;
    if (one_in(5)) settings.hedge = one_in(2) ? 0 : 20;
    if (one_in(6)) settings.keep_warm = 0;
    if (one_in(6)) settings.probe_interval = 5'000;
    if (one_in(4)) settings.stale = one_in(2) ? 0 : 10;
    if (one_in(4)) settings.prefetch = 0;
    horizon_ = between(5'000, 30'000);
  }

  // How strong, in the fault's own measure.
  unsigned amount_of(Fault fault, bool gently) {
    switch (fault) {
      case Fault::reset_often:
        return between(150, 600);
      case Fault::fin_after:
        return gently ? between(20, 60) : between(1, 60);
      case Fault::fin_idle:  // gently: later than a query can come after the handshake
        return gently ? between(800, 4'000) : between(100, 4'000);
      case Fault::slow:
        return gently ? between(10, 200) : between(20, 700);
      case Fault::slow_handshake:
        return gently ? between(100, 1'500) : between(100, 3'000);
      case Fault::reorder:
        return between(10, 300);
      case Fault::loss:
      case Fault::stall:
        return gently ? between(1, 3) : between(1, 20);
      case Fault::duplicate:
      case Fault::unasked:
        return gently ? between(1, 10) : between(1, 100);
      case Fault::slow_answers:
      case Fault::no_answers:
        return between(1, 20);
      case Fault::other_question:
        return gently ? between(1, 20) : between(1, 100);
      default:
        return one_in(2) ? 100 : between(1, 100);
    }
  }

  void add_fault(Fault fault, unsigned endpoint, unsigned at, unsigned duration, bool gently) {
    scenario_.faults.push_back({.at = at,
                                .duration = duration,
                                .fault = fault,
                                .endpoint = endpoint,
                                .amount = amount_of(fault, gently)});
  }
  void add_host_fault(Fault fault, unsigned at, unsigned duration, unsigned amount) {
    scenario_.faults.push_back(
        {.at = at, .duration = duration, .fault = fault, .endpoint = 0, .amount = amount});
  }

  // What happens to the host without harm to any query, as long as one upstream is well.
  // kept: the upstream that stays configured.
  void harmless_events(unsigned kept) {
    const Settings& settings = scenario_.settings;
    for (unsigned count = between(0, 2); count > 0; --count) {
      const unsigned at = between(500, horizon_);
      const unsigned other = between(0, static_cast<unsigned>(settings.upstreams.size()) - 1);
      switch (dice_.below(5)) {
        case 0:
          add_host_fault(Fault::flush, at, 0, 0);
          break;
        case 1:
          add_host_fault(Fault::pause, at, between(5, 300), 0);
          break;
        case 2:
          // Three sends to the only upstream may be under way on what is gone: it must be noticed.
          add_host_fault(Fault::network_change, at, 0,
                         between(0, 1) * (settings.upstreams.size() > 1 ? 1U : 0U));
          break;
        case 3:
          add_host_fault(Fault::reload, at, 0,
                         other == kept
                             ? reload_reversed
                             : pick(std::array{reload_without, reload_unresolved}) + other);
          add_host_fault(Fault::reload, at + between(100, 5'000), 0, reload_unchanged);
          break;
        default:
          add_host_fault(Fault::reload, at, 0, reload_selection + between(0, selections - 1));
          break;
      }
    }
  }

  void one_is_well() {
    const unsigned upstreams = between(2, 3);
    settings(upstreams, one_in(4) ? 2 : 1);
    scenario_.settings.never_fails = true;
    const unsigned well = between(0, upstreams - 1);
    for (unsigned count = between(1, 8); count > 0; --count) {
      const unsigned endpoint = between(0, scenario_.settings.endpoint_count() - 1);
      const Settings& settings = scenario_.settings;
      const unsigned upstream = settings.upstream_of(endpoint);
      if (upstream == well) continue;
      Fault fault = pick(any_fault);
      const bool alone = settings.upstreams[upstream].group != settings.upstreams[well].group;
      if (alone &&
          std::count(std::begin(swallowing_faults), std::end(swallowing_faults), fault) > 0)
        fault = Fault::silence;
      add_fault(fault, endpoint, between(0, horizon_), between(100, 8'000), false);
    }
    harmless_events(well);
  }

  void nothing_untold() {
    const unsigned upstreams = between(1, 3);
    settings(upstreams, 1);
    Settings& settings = scenario_.settings;
    settings.never_fails = true;
    unsigned farthest = 0;
    for (const UpstreamSetting& upstream : settings.upstreams) {
      farthest = std::max(farthest, upstream.latency + upstream.jitter);
    }
    // A handshake or two, and the pauses between attempts to connect.
    settings.promptly = 800 + 20 * farthest;
    const unsigned well = between(0, upstreams - 1);
    for (unsigned count = between(1, 6); count > 0; --count) {
      const unsigned endpoint = between(0, settings.endpoint_count() - 1);
      const bool elsewhere = settings.upstream_of(endpoint) != well && one_in(3);
      add_fault(elsewhere ? pick(told_faults_elsewhere) : pick(told_faults), endpoint,
                between(0, horizon_), between(100, 3'000), true);
    }
  }

  void one_upstream() {
    settings(1, 1);
    scenario_.settings.never_fails = true;
    unsigned at = between(0, 3'000);
    for (unsigned count = between(1, 4); count > 0; --count) {
      const unsigned duration = between(50, 1'500);
      const Fault fault = pick(brief_faults);
      // An address alone does not help if the other one is the one that is asked.
      for (unsigned endpoint = 0; endpoint < scenario_.settings.endpoint_count(); ++endpoint) {
        add_fault(fault, endpoint, at, duration, true);
      }
      at += duration + between(3'000, 6'000);
    }
    horizon_ = std::max(horizon_, at);
    if (one_in(2)) harmless_events(0);
  }

  void chaos() {
    const unsigned upstreams = between(1, 4);
    settings(upstreams, between(1, std::min(3U, upstreams)));
    const unsigned endpoints = scenario_.settings.endpoint_count();
    for (unsigned count = between(1, 10); count > 0; --count) {
      add_fault(pick(any_fault), between(0, endpoints - 1), between(0, horizon_),
                between(100, 12'000), false);
    }
    if (one_in(2)) {  // all of them gone for a while
      const Fault fault = pick(vanishing_faults);
      const unsigned at = between(0, horizon_);
      const unsigned duration = between(500, 20'000);
      for (unsigned endpoint = 0; endpoint < endpoints; ++endpoint) {
        add_fault(fault, endpoint, at, duration, false);
      }
    }
    if (one_in(3)) {
      add_host_fault(Fault::suspend, between(500, horizon_), between(1'000, 600'000), 0);
    }
    harmless_events(between(0, upstreams - 1));
    floods_ = one_in(30);
  }

  // One client asks more than it may have waiting.
  void flood() {
    const unsigned begin = between(0, horizon_);
    for (unsigned count = 0; count < flood_queries; ++count) {
      scenario_.queries.push_back(
          {.at = begin + count / 5, .client = 9, .name = flood_names + count, .type = 1});
    }
    std::stable_sort(scenario_.queries.begin(), scenario_.queries.end(),
                     [](const auto& left, const auto& right) { return left.at < right.at; });
  }

  void queries() {
    const unsigned clients = between(1, 5);
    unsigned fresh = fresh_names;
    unsigned at = between(0, 1'000);
    const unsigned pause = pick(std::array{2U, 20U, 50U, 200U, 500U});
    while (at < horizon_ && scenario_.queries.size() < queries_max) {
      QueryEntry query{.at = at, .client = between(1, clients)};
      query.name = one_in(2) ? fresh++ : between(0, popular_names - 1);
      const unsigned type = between(0, 9);
      query.type = type < 7 ? 1 : type < 9 ? 28 : 16;
      query.edns = !one_in(4);
      if (one_in(20)) query.leaves = between(1, 3'000);
      scenario_.queries.push_back(query);
      at += one_in(100) ? between(3'000, 15'000) : between(0, 2 * pause);
    }
  }

  Random dice_;
  Scenario scenario_;
  unsigned horizon_ = 0;
  bool floods_ = false;
};

}  // namespace

Scenario generate(std::uint64_t seed) {
  return Generator(seed).generate();
}

}  // namespace sotto::sim
