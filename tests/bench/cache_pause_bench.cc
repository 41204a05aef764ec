// How long a worker waits at most for the cache while others fill, flush and save it. One thread
// looks up and stores without a pause, and every moment of it is timed; beside it a thread that
// only reads the clock, because the machine makes both wait now and then. …_us_max is without the
// time in which either thread waited for a CPU, …_us_max_waiting with it. Budget: 1 ms.
// Run by script/bench micro.
#include <atomic>
#include <benchmark/benchmark.h>
#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>

#include "cache_load.h"

namespace sotto::bench {
namespace {

constexpr std::size_t octets = std::size_t{64} * 1'048'576;
constexpr std::size_t entries = 500'000;  // fit into it, twice as many do not
constexpr std::uint64_t names_of_the_watcher = 100'000'000;
constexpr std::uint64_t names_of_the_filler = 200'000'000;
const Instant start{std::chrono::seconds{1'000}};

// How long a thread has waited for a CPU so far, because others had it: the second field of its
// schedstat.
class WaitForCpu {
 public:
  explicit WaitForCpu(pid_t thread)
      : file_("/proc/self/task/" + std::to_string(thread) + "/schedstat") {}

  Duration read() {
    file_.clear();
    file_.seekg(0);
    std::uint64_t ran = 0;
    std::int64_t waited = 0;
    if (file_ >> ran >> waited) last_ = Duration{waited};  // else the thread has ended
    return last_;
  }

 private:
  std::ifstream file_;
  Duration last_{};
};

// How long calls took.
class Gaps {
 public:
  // waited: for a CPU, of the whole gap.
  void add(Duration gap, Duration waited) {
    longest_waiting_ = std::max(longest_waiting_, gap);
    const Duration own = std::max(gap - waited, Duration{});
    longest_ = std::max(longest_, own);
    ++calls_;
    const auto bucket = static_cast<std::size_t>(own / bucket_width);
    ++buckets_[std::min(bucket, buckets_.size() - 1)];
  }

  double calls() const { return static_cast<double>(calls_); }
  double longest() const { return microseconds(longest_); }
  double longest_waiting() const { return microseconds(longest_waiting_); }

  // Of ten thousand calls all but one took at most this.
  double p9999() const {
    std::uint64_t above = calls_ / 10'000;
    for (std::size_t at = buckets_.size(); at-- > 0;) {
      if (buckets_[at] > above) return microseconds(bucket_width * (at + 1));
      above -= buckets_[at];
    }
    return 0;
  }

 private:
  static double microseconds(Duration duration) {
    return static_cast<double>(duration.count()) / 1'000;
  }

  static constexpr Duration bucket_width{100};
  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(20'000);
  std::uint64_t calls_ = 0;
  Duration longest_{};
  Duration longest_waiting_{};
};

// Times what happens between two calls of lap(). What this thread or the disturber waited for a CPU
// comes off: whoever loses it while it holds a lock keeps the other waiting.
class Stopwatch {
 public:
  explicit Stopwatch(pid_t disturber) : own_(gettid()), disturber_(disturber) { start_anew(); }

  void lap(Gaps& gaps) {
    // To ask takes longer than a call, so only long gaps are looked into.
    constexpr Duration suspicious = std::chrono::microseconds{20};
    constexpr unsigned laps_max = 4'096;  // what was waited in short gaps belongs to none
    const Instant now = monotonic_now();
    const Duration gap = now - before_;
    if (gap >= suspicious) {
      const Duration waited_before = waited_;
      start_anew();
      gaps.add(gap, waited_ - waited_before);
      return;
    }
    gaps.add(gap, {});
    before_ = now;
    if (++laps_ == laps_max) start_anew();
  }

 private:
  void start_anew() {
    waited_ = own_.read() + disturber_.read();
    laps_ = 0;
    before_ = monotonic_now();
  }

  WaitForCpu own_;
  WaitForCpu disturber_;
  Duration waited_{};
  unsigned laps_ = 0;
  Instant before_;
};

struct Watched {
  Gaps find;
  Gaps store;
  Gaps clock;
};

// A worker that does nothing but look up, and store now and then.
void use_cache(Cache& cache, pid_t disturber, std::atomic<bool>& watching,
               const std::atomic<bool>& done, Watched& watched) {
  constexpr std::size_t size = 16'384;
  constexpr std::size_t lookups_per_store = 16;
  std::vector<Question> known;
  std::vector<Question> own;
  std::vector<Answer> answers(size);
  for (std::uint64_t number = 0; number < size; ++number) {
    known.push_back(question_number(number * 61));
    own.push_back(question_number(names_of_the_watcher + number));
    answer_to(own.back(), answers[number]);
  }
  Answer found;
  Stopwatch stopwatch(disturber);
  watching.store(true);
  watching.notify_one();
  for (std::size_t at = 0; !done.load(std::memory_order_relaxed); at = (at + 1) % size) {
    cache.find(known[at], cache.hash(known[at]), start, found);
    stopwatch.lap(watched.find);
    if (at % lookups_per_store == 0) {
      cache.store(own[at], cache.hash(own[at]), answers[at], start, cache.generation());
      stopwatch.lap(watched.store);
    }
  }
}

void read_clock(pid_t disturber, std::atomic<bool>& watching, const std::atomic<bool>& done,
                Watched& watched) {
  Stopwatch stopwatch(disturber);
  watching.store(true);
  watching.notify_one();
  while (!done.load(std::memory_order_relaxed)) stopwatch.lap(watched.clock);
}

void fill(Cache& cache, std::uint64_t from) {
  Answer scratch;
  for (std::uint64_t number = from; number < from + entries; ++number) {
    store_number(cache, number, start, scratch);
  }
}

enum class Disturbance { fill, evict, flush, flush_below, visit };

void disturb(Cache& cache, Disturbance disturbance) {
  const std::array<std::uint8_t, 15> below{5,   'b', 'u', 'n', 'c', 'h', 7, 'e',
                                           'x', 'a', 'm', 'p', 'l', 'e', 0};
  std::uint64_t visited = 0;
  switch (disturbance) {
    case Disturbance::fill:
    case Disturbance::evict:
      fill(cache, names_of_the_filler);
      break;
    case Disturbance::flush:
      cache.flush();
      break;
    case Disturbance::flush_below:
      cache.flush(below, true, [] { std::this_thread::sleep_for(std::chrono::microseconds{20}); });
      break;
    case Disturbance::visit:
      for (std::size_t shard = 0; shard < cache.shards(); ++shard) {
        cache.visit(shard, start, [&](const CachedEntry& entry) { visited += entry.ttl; });
      }
      benchmark::DoNotOptimize(visited);
      break;
  }
}

void watch(Disturbance disturbance, bool with_cache, Watched& watched) {
  Random random{1};
  Cache cache(octets, start, random);
  if (disturbance != Disturbance::fill) {
    for (const std::uint64_t from : {std::uint64_t{0}, std::uint64_t{entries}}) fill(cache, from);
  }
  std::atomic<pid_t> disturber_id{0};
  std::atomic<bool> watching{false};
  std::atomic<bool> done{false};
  std::jthread disturber([&] {
    stay_on_cpu(1);
    disturber_id.store(gettid());
    disturber_id.notify_one();
    watching.wait(false);
    disturb(cache, disturbance);
    done.store(true);
  });
  std::jthread watcher([&] {
    stay_on_cpu(0);
    disturber_id.wait(0);
    if (with_cache) {
      use_cache(cache, disturber_id.load(), watching, done, watched);
    } else {
      read_clock(disturber_id.load(), watching, done, watched);
    }
  });
}

void longest_pause(benchmark::State& state, Disturbance disturbance) {
  Watched watched;
  for (auto _ : state) {
    for (const bool with_cache : {true, false}) watch(disturbance, with_cache, watched);
  }
  const auto report = [&state](const std::string& name, const Gaps& gaps) {
    state.counters[name + "_us_p9999"] = gaps.p9999();
    state.counters[name + "_us_max"] = gaps.longest();
    state.counters[name + "_us_max_waiting"] = gaps.longest_waiting();
  };
  report("find", watched.find);
  report("store", watched.store);
  report("clock", watched.clock);
  state.counters["finds"] = watched.find.calls();
  state.counters["stores"] = watched.store.calls();
}
#define PAUSE_WHILE(disturbance)                                          \
  BENCHMARK_CAPTURE(longest_pause, disturbance, Disturbance::disturbance) \
      ->Iterations(1)                                                     \
      ->UseRealTime()                                                     \
      ->Unit(benchmark::kMillisecond)
PAUSE_WHILE(fill);
PAUSE_WHILE(evict);
PAUSE_WHILE(flush);
PAUSE_WHILE(flush_below);
PAUSE_WHILE(visit);

}  // namespace
}  // namespace sotto::bench
