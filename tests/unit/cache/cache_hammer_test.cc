// Many threads on one small cache. Every answer carries a pattern made from its question, so that
// one that is torn, or another question's, is noticed exactly. Runs under TSan too.
#include <atomic>
#include <gtest/gtest.h>
#include <set>
#include <thread>

#include "cache_world.h"

namespace sotto {
namespace {

using namespace std::chrono_literals;
using test::CacheWorld;
using test::Octets;
using State = Cache::State;

constexpr int threads = 4;

template <class Work>
void in_threads(Work work) {
  std::vector<std::thread> workers;
  for (int thread = 0; thread < threads; ++thread) workers.emplace_back(work, thread);
  for (std::thread& worker : workers) worker.join();
}

// Questions and, for each, a few answers of different sizes and forms.
class Pattern {
 public:
  static constexpr std::size_t questions = 700;
  static constexpr std::size_t versions = 6;

  Pattern() {
    for (std::size_t i = 0; i < questions; ++i) {
      const std::string name = std::to_string(i) + (i % 2 == 0 ? ".even.example" : ".odd.example");
      asked_.push_back(test::ask(name, rtype::txt));
      for (std::size_t version = 0; version < versions; ++version) {
        answers_.push_back(make(i, version));
      }
      failures_.push_back(
          test::servfail(asked_.back(), test::ede(static_cast<unsigned>(i), "failed")));
    }
  }
  const Question& question(std::size_t i) const { return asked_[i]; }
  const Answer& answer(std::size_t i, std::size_t version) const {
    return answers_[i * versions + version];
  }
  const Answer& failure(std::size_t i) const { return failures_[i]; }

  // Is this what may be found for question i? shift: seconds TTLs have fallen.
  bool holds(std::size_t i, State state, const Answer& found) const {
    if (state == State::failure) return bool{test::same(found, failures_[i])};
    for (std::size_t version = 0; version < versions; ++version) {
      const Answer& stored = answer(i, version);
      if (stored.message.size() != found.message.size()) continue;
      if (state == State::stale && test::same(found, test::gone_stale(stored))) return true;
      if (state != State::fresh || found.ttl_min > stored.ttl_min) continue;
      if (test::same(found, test::aged(stored, stored.ttl_min - found.ttl_min))) return true;
    }
    return false;
  }

 private:
  Answer make(std::size_t i, std::size_t version) const {
    static constexpr std::size_t sizes[versions] = {3, 40, 40, 41, 2'000, 9'000};
    Octets filling;
    for (std::size_t at = 0; at < sizes[version]; ++at) {
      filling.push_back(static_cast<std::uint8_t>(i * 31 + version * 7 + at));
    }
    const auto life = static_cast<std::uint32_t>(20 + i % 100);
    test::Content content = {.answers = {test::record(test::to_qname, rtype::txt, life, filling)}};
    if (version % 2 == 1) {
      content.answers.push_back(
          test::record(test::wire("x.net"), rtype::a, life + 5, {1, 2, 3, 4}));
      content.ede = test::ede(static_cast<unsigned>(i), std::to_string(version));
    }
    return test::make_answer(asked_[i], content);
  }

  std::vector<Question> asked_;
  std::vector<Answer> answers_;
  std::vector<Answer> failures_;
};

const Pattern& pattern() {
  static const Pattern all;
  return all;
}

// What Cache::place() gives for question i, in the form of find()'s; false if it does not.
bool place(Cache& cache, std::size_t i, std::uint64_t hash, Instant now, Answer& answer) {
  static thread_local std::array<std::uint8_t, message_octets_max> buffer;
  PlacedMessage placed;
  const Cache::Placing placing = cache.place(pattern().question(i), hash, now, buffer, placed);
  if (placing == Cache::Placing::absent || placing == Cache::Placing::other) return false;
  answer.clear();
  answer.message.assign(buffer.begin(),
                        buffer.begin() + static_cast<std::ptrdiff_t>(placed.octets));
  std::fill_n(answer.message.begin(), 12, std::uint8_t{0});
  answer.message.at(5) = 1;
  store16(&answer.message.at(6), placed.answers);
  answer.rrset_ends = {{static_cast<std::uint32_t>(placed.octets), placed.answers, 0, 0}};
  answer.ttl_min = test::ttls(answer).at(0);
  return true;
}

// One thread's share.
class Hammer {
 public:
  Hammer(Cache& cache, std::atomic<std::int64_t>& clock, int thread)
      : cache_(cache), clock_(clock), random_(static_cast<std::uint64_t>(thread)) {}

  void run(int operations) {
    for (int i = 0; i < operations; ++i) act();
  }
  std::uint64_t found = 0;
  std::uint64_t wrong = 0;

 private:
  void act() {
    const std::uint64_t kind = random_.below(1'000);
    const std::size_t i = random_.below(Pattern::questions);
    const Question& question = pattern().question(i);
    const std::uint64_t hash = cache_.hash(question);
    const Answer& answer = pattern().answer(i, random_.below(Pattern::versions));
    const Instant now{std::chrono::seconds{1'000} + clock_.fetch_add(1) * 5ms};
    if (kind < 250) return check_find(i, hash, now);
    if (kind < 550) return check_place(i, hash, now);
    if (kind < 850) return cache_.store(question, hash, answer, now, cache_.generation());
    if (kind < 880) return (void)cache_.claim_refresh(question, hash);
    if (kind < 900) return cache_.hold_refresh(question, hash, now);
    if (kind < 960) {
      return cache_.store_failure(
          question, hash, pattern().failure(i),
          kind % 2 == 0 ? Cache::FailureOrigin::upstream : Cache::FailureOrigin::own, now,
          cache_.generation());
    }
    if (kind < 990) return (void)cache_.restore(question, answer, 3s, now, cache_.generation());
    if (kind < 996) return (void)cache_.flush(question.name(), false);
    act_on_all(kind, now);
  }
  void act_on_all(std::uint64_t kind, Instant now) {
    if (kind == 996) return check_visit(random_.below(cache_.shards()), now);
    if (kind == 997 && random_.below(16) == 0) {
      return (void)cache_.flush(test::wire(random_.below(2) == 0 ? "odd.example" : "example"),
                                true);
    }
    if (kind == 998 && random_.below(16) == 0) return (void)cache_.flush();
    cache_.forget_failures();
    cache_.set_stale_max_age(std::chrono::seconds{random_.below(60)});
    const CacheStats stats = cache_.stats();
    if (stats.octets > stats.octets_max || !cache_.consistent()) ++wrong;
  }
  void check_find(std::size_t i, std::uint64_t hash, Instant now) {
    const State state = cache_.find(pattern().question(i), hash, now, answer_).state;
    if (state == State::absent) return;
    ++found;
    if (!pattern().holds(i, state, answer_)) ++wrong;
  }
  void check_place(std::size_t i, std::uint64_t hash, Instant now) {
    if (!place(cache_, i, hash, now, answer_)) return;
    ++found;
    if (!pattern().holds(i, State::fresh, answer_)) ++wrong;
  }
  void check_visit(std::size_t shard, Instant now) {
    std::set<Octets> seen;
    cache_.visit(shard, now, [&](const CachedEntry& entry) {
      const auto name = entry.question.name();
      const std::string digits(name.begin() + 1, name.begin() + 1 + name[0]);
      const auto i = static_cast<std::size_t>(std::stoul(digits));
      const State state = entry.failure ? State::failure : State::fresh;
      if (!(entry.question == pattern().question(i)) || !pattern().holds(i, state, entry.answer) ||
          !seen.emplace(name.begin(), name.end()).second) {
        ++wrong;
      }
    });
  }

  Cache& cache_;
  std::atomic<std::int64_t>& clock_;
  Random random_;
  Answer answer_;
};

TEST(CacheHammer, NothingIsTornOrCrossed) {
  pattern();
  CacheWorld world(2 * shard_octets);
  std::atomic<std::int64_t> clock{0};
  std::atomic<std::uint64_t> found{0};
  std::atomic<std::uint64_t> wrong{0};
  in_threads([&](int thread) {
    Hammer hammer(world.cache, clock, thread);
    hammer.run(25'000);
    found += hammer.found;
    wrong += hammer.wrong;
  });
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(found, 10'000U);
  EXPECT_TRUE(world.cache.consistent());
  const CacheStats stats = world.cache.stats();
  EXPECT_GT(stats.evicted, 100U) << "too much room to be of interest";
  EXPECT_LE(stats.octets, stats.octets_max);
}

// One entry that is rewritten without end, in place and not: where readers are disturbed most.
TEST(CacheHammer, AnEntryThatIsRewrittenIsReadWhole) {
  pattern();
  CacheWorld world(shard_octets);
  const Question& question = pattern().question(1);
  const std::uint64_t hash = world.cache.hash(question);
  std::atomic<std::uint64_t> wrong{0};
  in_threads([&](int thread) {
    Answer answer;
    for (std::size_t i = 0; i < 20'000; ++i) {
      if (thread % 2 == 0) {
        const std::size_t version = thread == 0 ? 1 + i % 2 : 4 + i % 2;
        world.cache.store(question, hash, pattern().answer(1, version), world.now, 0);
      } else {
        const State state = world.cache.find(question, hash, world.now, answer).state;
        // Only before the first was stored is there none.
        if (state != State::absent && !pattern().holds(1, state, answer)) ++wrong;
        if (place(world.cache, 1, hash, world.now, answer) &&
            !pattern().holds(1, State::fresh, answer)) {
          ++wrong;
        }
      }
    }
  });
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(world.cache.stats().entries, 1U);
}

TEST(CacheHammer, AnAnswerIsClaimedOnce) {
  CacheWorld world(2 * shard_octets);
  constexpr std::size_t rounds = 4;
  std::atomic<std::uint64_t> claims{0};
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < Pattern::questions; ++i) {
      world.store(pattern().question(i), pattern().answer(i, 0));
    }
    in_threads([&](int) {
      for (std::size_t i = 0; i < Pattern::questions; ++i) {
        if (world.claim(pattern().question(i))) ++claims;
      }
    });
  }
  EXPECT_EQ(claims, rounds * Pattern::questions);
}

// After a flush has returned, nobody finds what was asked for before it began.
TEST(CacheHammer, AFlushLeavesNothingOlderBehind) {
  CacheWorld world(2 * shard_octets);
  const Question question = test::ask("a.example");
  const std::uint64_t hash = world.cache.hash(question);
  constexpr unsigned flushes = 255;
  constexpr int stores = 10'000;
  std::vector<Answer> answers;
  for (unsigned i = 0; i <= flushes; ++i) {
    answers.push_back(test::make_addresses(question, 100, i));
  }
  std::atomic<unsigned> begun{0};
  std::atomic<unsigned> ended{0};
  std::atomic<int> stored{0};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> found{0};
  in_threads([&](int thread) {
    Answer answer;
    for (unsigned number = 1; thread == 0 && number <= flushes; ++number) {
      // Spread over the others' work.
      while (stored < static_cast<int>(number) * 100) std::this_thread::yield();
      begun = number;
      number % 2 == 0 ? world.cache.flush() : world.cache.flush(question.name(), number % 4 == 1);
      ended = number;
    }
    for (int i = 0; thread != 0 && i < stores; ++i) {
      const std::uint32_t generation = world.cache.generation();
      const unsigned content = begun;
      world.cache.store(question, hash, answers[content], world.now, generation);
      ++stored;
      const unsigned oldest = ended;
      if (world.cache.find(question, hash, world.now, answer).state == State::absent) continue;
      ++found;
      if (answer.message.back() < oldest) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(found, 1'000U);
}

}  // namespace
}  // namespace sotto
