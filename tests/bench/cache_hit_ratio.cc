// How well the cache chooses what to forget: its share of hits on a Zipf trace with scans mixed in,
// beside exact LRU and FIFO of as many entries. Deterministic. Run by script/bench ratio:
// cache_hit_ratio [SEED].
#include <charconv>
#include <cstdio>
#include <deque>
#include <list>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "cache_load.h"

namespace {

using namespace sotto;

constexpr std::size_t population = 1'000'000;
constexpr std::size_t queries = 4'000'000;
constexpr std::size_t queries_unmeasured = 1'000'000;  // until all caches are full
// A scan asks for that many names in a row that nobody asks for again.
constexpr std::size_t scan_names = 20'000;
constexpr std::size_t zipf_queries_between_scans = 80'000;

struct Ask {
  std::uint64_t number;
  bool scan;
};

std::vector<Ask> make_trace(std::uint64_t seed, bool scans) {
  bench::Zipf zipf(population, seed);
  std::vector<Ask> trace;
  trace.reserve(queries + scan_names);
  std::uint64_t next_scanned = population;
  while (trace.size() < queries) {
    for (std::size_t i = 0; i < zipf_queries_between_scans; ++i)
      trace.push_back({zipf.draw(), false});
    for (std::size_t i = 0; scans && i < scan_names; ++i) trace.push_back({next_scanned++, true});
  }
  trace.resize(queries);
  return trace;
}

struct Score {
  std::size_t asked = 0;
  std::size_t hits = 0;
  double share() const { return static_cast<double>(hits) / static_cast<double>(asked); }
};

// is_hit(number) looks up and, if it was not there, stores. A scan's names count for nothing: they
// are never there.
template <class IsHit>
Score play(const std::vector<Ask>& trace, IsHit is_hit) {
  Score score;
  for (std::size_t at = 0; at < trace.size(); ++at) {
    const bool hit = is_hit(trace[at].number);
    if (at < queries_unmeasured || trace[at].scan) continue;
    ++score.asked;
    if (hit) ++score.hits;
  }
  return score;
}

class Lru {
 public:
  explicit Lru(std::size_t entries) : entries_(entries) {}
  bool operator()(std::uint64_t number) {
    const auto found = places_.find(number);
    if (found != places_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return true;
    }
    if (order_.size() == entries_) {
      places_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(number);
    places_[number] = order_.begin();
    return false;
  }

 private:
  std::size_t entries_;
  std::list<std::uint64_t> order_;  // the latest first
  std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> places_;
};

class Fifo {
 public:
  explicit Fifo(std::size_t entries) : entries_(entries) {}
  bool operator()(std::uint64_t number) {
    if (!kept_.insert(number).second) return true;
    order_.push_back(number);
    if (order_.size() > entries_) {
      kept_.erase(order_.front());
      order_.pop_front();
    }
    return false;
  }

 private:
  std::size_t entries_;
  std::deque<std::uint64_t> order_;
  std::unordered_set<std::uint64_t> kept_;
};

struct Sotto {
  Sotto(std::size_t octets, std::uint64_t seed) : random(seed), cache(octets, now, random) {}
  bool operator()(std::uint64_t number) {
    const Question question = bench::question_number(number);
    const std::uint64_t hash = cache.hash(question);
    if (cache.find(question, hash, now, answer).state == Cache::State::fresh) return true;
    bench::answer_to(question, answer);
    cache.store(question, hash, answer, now, cache.generation());
    return false;
  }

  const Instant now{std::chrono::seconds{1'000}};
  Random random;
  Cache cache;
  Answer answer;
};

void compare(std::size_t octets, const std::vector<Ask>& trace, const char* what,
             std::uint64_t seed) {
  Sotto sotto(octets, seed);
  const Score ours = play(trace, std::ref(sotto));
  const std::size_t entries = sotto.cache.stats().entries;
  const Score lru = play(trace, Lru(entries));
  const Score fifo = play(trace, Fifo(entries));
  std::printf("%-10s %6zu %9zu %8.4f %8.4f %8.4f %13.3f\n", what, octets / 1'048'576, entries,
              ours.share(), lru.share(), fifo.share(), (1 - lru.share()) / (1 - ours.share()));
}

}  // namespace

int main(int count, char** arguments) {
  std::uint64_t seed = 1;
  if (count > 1) {
    const std::string_view text = arguments[1];
    if (std::from_chars(text.data(), text.data() + text.size(), seed).ec != std::errc{}) return 2;
  }
  std::printf(
      "%zu names by Zipf's law, s = 1.0; scans of %zu names after each %zu queries; "
      "seed %llu\n\n",
      population, scan_names, zipf_queries_between_scans, static_cast<unsigned long long>(seed));
  std::printf("%-10s %6s %9s %8s %8s %8s %13s\n", "trace", "MiB", "entries", "sotto", "LRU", "FIFO",
              "LRU's misses");
  for (const bool scans : {true, false}) {
    const std::vector<Ask> trace = make_trace(seed, scans);
    for (const std::size_t mebibytes : {2U, 8U, 32U}) {
      compare(mebibytes * 1'048'576, trace, scans ? "with scans" : "no scans", seed);
    }
  }
  std::printf("\nhits of the queries that are no scan's; LRU's misses: as a multiple of sotto's\n");
}
