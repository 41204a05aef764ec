// What the cache costs by itself: looking up, storing when it is full, two threads on one,
// flushing. Budget: 150 ns a lookup, and 0.9 as much from one cache as from two. Run by
// script/bench micro.
#include <array>
#include <atomic>
#include <benchmark/benchmark.h>
#include <ctime>
#include <numeric>
#include <thread>

#include "cache_load.h"

namespace sotto::bench {
namespace {

constexpr std::size_t mebibyte = 1'048'576;
constexpr std::uint64_t seed = 1;
const Instant start{std::chrono::seconds{1'000}};

double nanoseconds(Duration duration) {
  return static_cast<double>(duration.count());
}

// Of this thread: what other processes take of the CPU does not count.
Duration thread_cpu_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

struct FilledCache {
  FilledCache(std::size_t octets, std::size_t entries) : cache(octets, start, random) {
    Answer scratch;
    for (std::uint64_t number = 0; number < entries; ++number) {
      store_number(cache, number, start, scratch);
    }
  }

  Random random{seed};
  Cache cache;
};

// Questions as they lie in a server: just received, close to the processor.
class Batch {
 public:
  static constexpr std::size_t size = 256;

  template <class Next>
  void fill(Next next) {
    for (Question& question : questions_) question = question_number(next());
  }
  const std::vector<Question>& questions() const { return questions_; }

 private:
  std::vector<Question> questions_{size};
};

// What memory asks for one line when nothing foresees which: each line says where the next one is.
class DependentReads {
 public:
  explicit DependentReads(std::size_t octets) : lines_(octets / sizeof(Line)) {
    std::vector<std::uint32_t> order(lines_.size());
    std::iota(order.begin(), order.end(), 0U);
    Random random(seed);
    for (std::size_t at = order.size(); at > 1; --at) {
      std::swap(order[at - 1], order[random.below(at)]);
    }
    for (std::size_t at = 0; at < order.size(); ++at) {
      lines_[order[at]].next = order[(at + 1) % order.size()];
    }
  }

  void read(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) at_ = lines_[at_].next;
    benchmark::DoNotOptimize(at_);
  }

 private:
  struct alignas(64) Line {
    std::uint32_t next = 0;
  };
  std::vector<Line> lines_;
  std::uint32_t at_ = 0;
};

// As the forwarder does: into the room of a response.
void find(Cache& cache, const Question& question, std::uint64_t hash, std::size_t& missing) {
  std::array<std::uint8_t, edns_udp_octets_max> room;
  PlacedMessage placed;
  const Cache::Placing placing = cache.place(question, hash, start, room, placed);
  benchmark::DoNotOptimize(room);
  missing += placing == Cache::Placing::fresh ? 0 : 1;
}

// One after the other, as queries on a stream come.
void find_each(Cache& cache, std::span<const Question> questions, std::size_t& missing) {
  for (const Question& question : questions) find(cache, question, cache.hash(question), missing);
}

// As datagrams come: hashed and fetched by the forwarder's batch, then found.
void find_batches(Cache& cache, std::span<const Question> questions, std::size_t& missing) {
  constexpr std::size_t batch = 16;
  static_assert(Batch::size % batch == 0);
  std::array<std::uint64_t, batch> hashes;
  for (std::size_t at = 0; at < questions.size(); at += batch) {
    for (std::size_t i = 0; i < batch; ++i) hashes[i] = cache.hash(questions[at + i]);
    cache.prefetch(hashes);
    for (std::size_t i = 0; i < batch; ++i) find(cache, questions[at + i], hashes[i], missing);
  }
}

// Hash and find, a million entries, asked for by Zipf's law; beside it random reads of as much
// memory as the entries take.
template <class Find>
void lookup(benchmark::State& state, Find find) {
  constexpr std::size_t entries = 1'000'000;
  static FilledCache filled(256 * mebibyte, entries);
  static const std::vector<std::uint32_t> sequence = Zipf(entries, seed).draw_many(8'000'000);
  static DependentReads reads(filled.cache.stats().octets);
  Batch batch;
  Duration looking{};
  Duration reading{};
  std::size_t at = 0;
  std::size_t missing = 0;
  for (auto _ : state) {
    batch.fill([&at] { return sequence[at++ % sequence.size()]; });
    const Duration begin = thread_cpu_time();
    find(filled.cache, batch.questions(), missing);
    const Duration middle = thread_cpu_time();
    reads.read(Batch::size);
    const Duration end = thread_cpu_time();
    looking += middle - begin;
    reading += end - middle;
    state.SetIterationTime(nanoseconds(middle - begin) / 1e9);
  }
  if (missing != 0) state.SkipWithError("an entry is missing");
  const auto lookups = static_cast<double>(state.iterations()) * Batch::size;
  state.counters["entries"] = static_cast<double>(filled.cache.stats().entries);
  state.counters["ns_lookup"] = nanoseconds(looking) / lookups;
  state.counters["ns_random_read"] = nanoseconds(reading) / lookups;
  state.counters["lookup_per_read"] = nanoseconds(looking) / nanoseconds(reading);
}
BENCHMARK_CAPTURE(lookup, one_by_one, find_each)->UseManualTime();
BENCHMARK_CAPTURE(lookup, in_batches, find_batches)->UseManualTime();

// Names never seen before: each store looks for a victim.
void store_when_full(benchmark::State& state) {
  constexpr std::size_t octets = 64 * mebibyte;
  static FilledCache filled(octets, 1'000'000);
  static std::uint64_t next = 1'000'000;
  const std::uint64_t evicted_before = filled.cache.stats().evicted;
  Batch batch;
  std::vector<Answer> answers(Batch::size);
  Duration storing{};
  for (auto _ : state) {
    batch.fill([] { return next++; });
    for (std::size_t i = 0; i < Batch::size; ++i) answer_to(batch.questions()[i], answers[i]);
    const Duration begin = thread_cpu_time();
    for (std::size_t i = 0; i < Batch::size; ++i) {
      const Question& question = batch.questions()[i];
      filled.cache.store(question, filled.cache.hash(question), answers[i], start,
                         filled.cache.generation());
    }
    const Duration passed = thread_cpu_time() - begin;
    storing += passed;
    state.SetIterationTime(nanoseconds(passed) / 1e9);
  }
  const auto stores = static_cast<double>(state.iterations()) * Batch::size;
  const auto evicted = static_cast<double>(filled.cache.stats().evicted - evicted_before);
  state.counters["ns_store"] = nanoseconds(storing) / stores;
  state.counters["evicted_per_store"] = evicted / stores;
}
BENCHMARK(store_when_full)->UseManualTime();

// --- two threads --------------------------------------------------------------------------------

struct Cost {
  double wall = 0;  // nanoseconds until both threads were done
  double cpu = 0;   // of both
};

// What one thread asks and stores, prepared.
struct Work {
  static constexpr std::size_t size = 16'384;

  std::vector<Question> questions;
  std::vector<Question> new_questions;
  std::vector<Answer> new_answers = std::vector<Answer>(size);

  Work(const std::vector<std::uint32_t>& sequence, std::size_t from, std::uint64_t first_new) {
    for (std::size_t i = 0; i < size; ++i) {
      questions.push_back(question_number(sequence[from + i]));
      new_questions.push_back(question_number(first_new + i));
      answer_to(new_questions[i], new_answers[i]);
    }
  }

  void run(Cache& cache, std::size_t lookups_per_store) const {
    constexpr int rounds = 16;
    Answer found;
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < size; ++i) {
        cache.find(questions[i], cache.hash(questions[i]), start, found);
        if (lookups_per_store != 0 && i % lookups_per_store == 0) {
          const Question& question = new_questions[i];
          cache.store(question, cache.hash(question), new_answers[i], start, cache.generation());
        }
      }
    }
  }
};

Cost run_both(std::array<Cache*, 2> caches, const std::array<Work, 2>& work,
              std::size_t lookups_per_store) {
  std::atomic<unsigned> ready{0};
  std::array<Duration, 2> cpu{};
  std::array<Instant, 2> begin{};
  std::array<Instant, 2> end{};
  const auto run = [&](unsigned which) {
    stay_on_cpu(which);
    ready.fetch_add(1);
    while (ready.load() < 2) std::this_thread::yield();
    const Duration cpu_before = thread_cpu_time();
    begin[which] = monotonic_now();
    work[which].run(*caches[which], lookups_per_store);
    end[which] = monotonic_now();
    cpu[which] = thread_cpu_time() - cpu_before;
  };
  {
    std::jthread first(run, 0);
    std::jthread second(run, 1);
  }
  return {.wall = nanoseconds(std::max(end[0], end[1]) - std::min(begin[0], begin[1])),
          .cpu = nanoseconds(cpu[0] + cpu[1])};
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// range(0): a store for so many lookups; 0: none. Each iteration is a pair: both threads on one
// cache, then each on its own, with the same entries. The ratios are medians of throughput on one
// cache over throughput on two: by the clock, and by CPU time, which other processes do not touch.
void two_threads_on_one_cache(benchmark::State& state) {
  constexpr std::size_t entries = 250'000;
  static std::array<FilledCache, 3> caches{
      {{64 * mebibyte, entries}, {64 * mebibyte, entries}, {64 * mebibyte, entries}}};
  static const std::vector<std::uint32_t> sequence = Zipf(entries, seed).draw_many(2 * Work::size);
  static const std::array<Work, 2> work{
      {{sequence, 0, 10'000'000}, {sequence, Work::size, 20'000'000}}};
  const auto lookups_per_store = static_cast<std::size_t>(state.range(0));
  std::vector<double> by_clock;
  std::vector<double> by_cpu;
  for (auto _ : state) {
    Cache& shared = caches[0].cache;
    const Cost one = run_both({&shared, &shared}, work, lookups_per_store);
    const Cost two = run_both({&caches[1].cache, &caches[2].cache}, work, lookups_per_store);
    by_clock.push_back(two.wall / one.wall);
    by_cpu.push_back(two.cpu / one.cpu);
    state.SetIterationTime(one.wall / 1e9);
  }
  state.counters["one_per_two"] = median(by_clock);
  state.counters["one_per_two_cpu"] = median(by_cpu);
}
BENCHMARK(two_threads_on_one_cache)
    ->ArgName("lookups_per_store")
    ->Arg(0)
    ->Arg(20)
    ->Iterations(9)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// --- flushing -----------------------------------------------------------------------------------

void report_flush(benchmark::State& state, std::size_t removed, std::size_t expected,
                  Duration passed) {
  state.SetIterationTime(nanoseconds(passed) / 1e9);
  if (removed != expected) state.SkipWithError("not what was to be removed");
}

void flush_a_million(benchmark::State& state) {
  for (auto _ : state) {
    FilledCache filled(256 * mebibyte, 1'000'000);
    const std::size_t entries = filled.cache.stats().entries;
    const Instant begin = monotonic_now();
    const std::size_t removed = filled.cache.flush();
    report_flush(state, removed, entries, monotonic_now() - begin);
  }
}
BENCHMARK(flush_a_million)->Iterations(3)->UseManualTime()->Unit(benchmark::kMillisecond);

// Looks at a million entries and removes half of them.
void flush_below_of_a_million(benchmark::State& state) {
  const std::array<std::uint8_t, 15> below{5,   'b', 'u', 'n', 'c', 'h', 7, 'e',
                                           'x', 'a', 'm', 'p', 'l', 'e', 0};
  for (auto _ : state) {
    FilledCache filled(256 * mebibyte, 1'000'000);
    const std::size_t entries = filled.cache.stats().entries;
    const Instant begin = monotonic_now();
    const std::size_t removed = filled.cache.flush(below, true);
    report_flush(state, removed, entries / 2, monotonic_now() - begin);
  }
}
BENCHMARK(flush_below_of_a_million)->Iterations(3)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sotto::bench
