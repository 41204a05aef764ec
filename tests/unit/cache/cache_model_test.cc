// The cache against a naive model under long random operations and a clock the test turns. A run is
// repeated with SOTTO_TEST_SEED=… in the environment.
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <map>

#include "cache_world.h"
#include "naive_message.h"

namespace sotto {
namespace {

using namespace std::chrono_literals;
using test::CacheWorld;
using test::Octets;
using State = Cache::State;

constexpr std::int64_t ticks = 16;  // a second

std::uint64_t seed_of_this_run() {
  const char* const given = std::getenv("SOTTO_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : Random().next64();
}

// What is known of one question.
struct Known {
  bool failure = false;
  Answer answer = {};
  std::int64_t stored = 0;  // ticks
  bool claimed = false;
  std::int64_t held_since = 0;
  std::int64_t held_until = 0;
  int epoch = 0;
  int failures = 0;
};

struct Finding {
  State state = State::absent;
  bool refresh_due = false;
  Answer answer = {};
};

// No shards, no octets, no limit.
class Model {
 public:
  std::int64_t now = 0;
  std::int64_t stale_max_age = 86'400;  // seconds
  int epoch = 0;
  std::map<Octets, Known> known;

  static Octets key(const Question& question) {
    return {question.key().begin(), question.key().end()};
  }
  bool fresh(const Known& entry) const { return now - entry.stored < entry.answer.ttl_min * ticks; }
  bool useful(const Known& entry) const {
    return now - entry.stored < (entry.answer.ttl_min + stale_max_age) * ticks;
  }
  static std::int64_t expiry(const Known& entry) {
    return entry.stored + std::int64_t{entry.answer.ttl_min} * ticks;
  }
  bool held(const Known& entry) const { return entry.epoch == epoch && entry.held_until > now; }

  Finding find(const Question& question) const {
    const auto at = known.find(key(question));
    if (at == known.end()) return {};
    const Known& entry = at->second;
    if (entry.failure) {
      if (!held(entry)) return {};
      return {.state = State::failure, .answer = entry.answer};
    }
    if (fresh(entry)) {
      const std::int64_t age = now - entry.stored;
      const bool due =
          !entry.claimed && !held(entry) && age * 10 >= entry.answer.ttl_min * ticks * 9;
      return {.state = State::fresh,
              .refresh_due = due,
              .answer = test::aged(entry.answer, static_cast<std::uint32_t>(age / ticks))};
    }
    if (!useful(entry)) return {};
    return {.state = State::stale,
            .refresh_due = !held(entry) || entry.held_since < expiry(entry),
            .answer = test::gone_stale(entry.answer)};
  }
  void store(const Question& question, const Answer& answer, std::int64_t stored) {
    known[key(question)] = {.answer = answer, .stored = stored};
  }
  void hold(const Question& question) {
    const auto at = known.find(key(question));
    if (at == known.end() || at->second.failure) return;
    at->second.held_since = now;
    at->second.held_until = now + 30 * ticks;
    at->second.claimed = false;
    at->second.epoch = epoch;
  }
  bool claim(const Question& question) {
    const auto at = known.find(key(question));
    if (at == known.end() || at->second.failure || at->second.claimed) return false;
    return at->second.claimed = true;
  }
  void fail(const Question& question, const Answer& failure, bool from_upstream) {
    Known& entry = known[key(question)];
    const bool is_new = entry.answer.message.empty();
    if (!is_new && !entry.failure && useful(entry)) return hold(question);
    const bool counts =
        entry.failure && entry.epoch == epoch && entry.held_until + 300 * ticks > now;
    const int before = counts ? entry.failures : 0;
    const int failures = before + (from_upstream ? 1 : 0);
    const std::int64_t hold =
        std::min<std::int64_t>(300, std::int64_t{1} << std::max(failures - 1, 0));
    entry = {.failure = true,
             .answer = failure,
             .held_until = now + (from_upstream ? hold : 1) * ticks,
             .epoch = epoch,
             .failures = std::min(failures, 16)};
    if (!entry.answer.extended_error)
      entry.answer.extended_error = ExtendedError{.code = 13, .text = {}};
  }
  std::size_t flush(const test::Labels& labels, bool below) {
    return std::erase_if(known, [&](const auto& entry) {
      const test::Labels own = test::naive_name(entry.first, 0)->labels;
      if (own.size() < labels.size() || (!below && own.size() != labels.size())) return false;
      return std::equal(labels.rbegin(), labels.rend(), own.rbegin());
    });
  }
};

class Player {
 public:
  // exact: nothing is ever evicted, so the cache must know what the model knows.
  Player(std::size_t octets, bool exact, std::uint64_t seed)
      : exact_(exact), random_(seed), world_(octets, seed) {
    if (!exact) set_stale_max_age(300 * 86'400);  // an answer that is not found is not there
  }

  void play(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE(step);
      act();
      if (step % 4'000 == 0) check_whole();
    }
    check_whole();
  }

 private:
  void act();
  void check_find(const Question& question);
  void check_whole();
  void do_store(const Question& question);
  void do_fail(const Question& question);
  void do_restore(const Question& question);
  void do_flush();
  void do_wait();
  void set_stale_max_age(std::int64_t seconds) {
    model_.stale_max_age = seconds;
    world_.cache.set_stale_max_age(std::chrono::seconds{seconds});
  }
  std::string any_name();
  Question any_question();
  Answer any_answer(const Question& question);
  bool one_in(std::uint64_t n) { return random_.below(n) == 0; }

  const bool exact_;
  std::function<bool(const Question&)> last_flush_covers_ = [](const Question&) { return true; };
  Random random_;
  CacheWorld world_;
  Model model_;
  unsigned serial_ = 0;
  std::uint64_t stored_ = 0, replaced_ = 0, flushed_ = 0;
};

std::string Player::any_name() {
  static const char* const words[] = {"a", "b", "www", "example", "org", "ab", "A", "Org"};
  std::string name;
  for (std::uint64_t labels = random_.below(4); labels > 0; --labels) {
    name += words[random_.below(std::size(words))];
    name += '.';
  }
  if (!exact_) name = std::to_string(random_.below(400)) + "." + name;
  return name.empty() ? "." : name;
}

Question Player::any_question() {
  return test::ask(any_name(), one_in(3) ? rtype::aaaa : rtype::a,
                   {.recursion_desired = !one_in(9), .dnssec_ok = one_in(5)});
}

// Each differs from all others.
Answer Player::any_answer(const Question& question) {
  static const std::uint32_t lives[] = {1, 2, 10, 60, 300, 3'600, 86'400};
  const std::uint32_t ttl = lives[random_.below(std::size(lives))];
  const Octets serial = {static_cast<std::uint8_t>(++serial_ >> 16U),
                         static_cast<std::uint8_t>(serial_ >> 8U),
                         static_cast<std::uint8_t>(serial_)};
  test::Content content = {.flags = static_cast<std::uint16_t>(one_in(3) ? 0x81A0 : 0x8180)};
  const std::size_t filling = one_in(200)  ? random_.below(60'000)
                              : one_in(20) ? random_.below(3'000)
                                           : random_.below(60);
  content.answers.push_back(
      test::record(test::to_qname, rtype::txt, ttl, test::join({serial, Octets(filling, 7)})));
  if (one_in(4)) {
    content.answers.push_back(test::record(test::wire("x.net"), rtype::a, ttl + 7, {1, 2, 3, 4}));
  }
  if (one_in(6)) content.authorities.push_back(test::soa(ttl + 100));
  if (one_in(6)) content.flags |= rcode::nxdomain;
  if (one_in(8)) content.ede = test::ede(29, "because");
  return test::make_answer(question, content);
}

void Player::check_find(const Question& question) {
  const Finding expected = model_.find(question);
  const Cache::Found found = world_.find(question);
  if (!exact_ && found.state == State::absent) {
    model_.known.erase(Model::key(question));  // evicted
    return;
  }
  ASSERT_EQ(found.state, expected.state);
  ASSERT_EQ(found.refresh_due, expected.refresh_due);
  if (found.state == State::absent) return;
  ASSERT_TRUE(test::same(world_.answer, expected.answer));
}

void Player::check_whole() {
  ASSERT_TRUE(world_.cache.consistent());
  std::size_t seen = 0;
  for (std::size_t shard = 0; shard < world_.cache.shards(); ++shard) {
    world_.cache.visit(shard, world_.now, [&](const CachedEntry& entry) {
      ++seen;
      const auto at = model_.known.find(Model::key(entry.question));
      ASSERT_NE(at, model_.known.end()) << "nobody stored it, or it was flushed";
      ASSERT_EQ(entry.failure, at->second.failure);
      if (entry.failure) return;
      ASSERT_TRUE(test::same(entry.answer, at->second.answer));
      ASSERT_EQ(entry.age, (model_.now - at->second.stored) * tick_length);
    });
  }
  const CacheStats stats = world_.cache.stats();
  EXPECT_EQ(stats.entries, seen);
  EXPECT_LE(stats.octets, stats.octets_max);
  EXPECT_EQ(stats.stored, stored_);
  EXPECT_EQ(stats.entries + stats.evicted + replaced_ + flushed_, stored_);
  if (exact_) {
    EXPECT_EQ(stats.entries, model_.known.size());
    EXPECT_EQ(stats.evicted, 0U);
  }
}

void Player::do_store(const Question& question) {
  const Answer answer = any_answer(question);
  check_find(question);
  const bool before_flush = one_in(50);
  if (before_flush) {
    world_.cache.store(question, world_.cache.hash(question), answer, world_.now,
                       world_.cache.generation() - 1);
    if (last_flush_covers_(question)) return;
  }
  ++stored_;
  if (model_.known.contains(Model::key(question))) ++replaced_;
  if (!before_flush) world_.store(question, answer);
  model_.store(question, answer, model_.now);
}

void Player::do_fail(const Question& question) {
  const Octets key = Model::key(question);
  const auto before = model_.known.find(key);
  const bool was_known = before != model_.known.end();
  const bool beside = was_known && !before->second.failure && model_.useful(before->second);
  const Answer failure =
      test::servfail(question, one_in(2) ? std::optional(test::ede(22, "nobody")) : std::nullopt);
  const bool from_upstream = !one_in(4);
  world_.fail(question, failure, from_upstream);
  model_.fail(question, failure, from_upstream);
  if (beside) return;
  ++stored_;
  if (was_known) ++replaced_;
}

void Player::do_restore(const Question& question) {
  const Answer answer = any_answer(question);
  const std::int64_t age = static_cast<std::int64_t>(random_.below(4'000'000));
  check_find(question);
  const bool known = model_.known.contains(Model::key(question));
  const bool useful = age < (answer.ttl_min + model_.stale_max_age) * ticks;
  const bool taken = world_.cache.restore(question, answer, age * tick_length, world_.now,
                                          world_.cache.generation());
  ASSERT_EQ(taken, !known && useful);
  if (!taken) return;
  ++stored_;
  model_.store(question, answer, model_.now - age);
}

void Player::do_flush() {
  if (one_in(20)) {
    flushed_ += world_.cache.flush();
    model_.known.clear();
    last_flush_covers_ = [](const Question&) { return true; };
  } else {
    const Octets name = test::wire(any_name());
    const bool below = one_in(2);
    const std::size_t removed = world_.cache.flush(name, below);
    const Question folded(name, rtype::a, rclass::in, {});
    last_flush_covers_ = [labels = test::naive_name(folded.name(), 0)->labels,
                          below](const Question& question) {
      const test::Labels own = test::naive_name(question.name(), 0)->labels;
      if (own.size() < labels.size() || (!below && own.size() != labels.size())) return false;
      return std::equal(labels.rbegin(), labels.rend(), own.rbegin());
    };
    const std::size_t expected = model_.flush(test::naive_name(folded.name(), 0)->labels, below);
    ASSERT_TRUE(exact_ ? removed == expected : removed <= expected)
        << removed << " instead of " << expected;
    flushed_ += removed;
  }
}

void Player::do_wait() {
  static const std::int64_t most[] = {2, 20, 200, 2'000, 40'000, 2'000'000};
  const std::int64_t time =
      static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most[random_.below(6)])));
  model_.now += time;
  world_.wait(time * tick_length);
}

void Player::act() {
  const Question question = any_question();
  const std::uint64_t kind = random_.below(100);
  if (kind < 45) return check_find(question);
  if (kind < 75) return do_store(question);
  if (kind < 80) {
    if (!exact_) check_find(question);  // notices what was evicted
    ASSERT_EQ(world_.claim(question), model_.claim(question));
    return;
  }
  if (kind < 84) {
    if (!exact_) check_find(question);
    world_.hold(question);
    return model_.hold(question);
  }
  if (kind < 90) return exact_ ? do_fail(question) : do_store(question);
  if (kind < 93) return do_restore(question);
  if (kind < 98) return do_wait();
  if (!one_in(3)) return;
  if (one_in(2)) return do_flush();
  world_.cache.forget_failures();
  ++model_.epoch;
  if (exact_ && one_in(2)) set_stale_max_age(static_cast<std::int64_t>(random_.below(3)) * 43'200);
}

TEST(CacheModel, KnowsWhatTheModelKnows) {
  const std::uint64_t seed = seed_of_this_run();
  SCOPED_TRACE(testing::Message() << "SOTTO_TEST_SEED=" << seed);
  RecordProperty("seed", std::to_string(seed));
  Player(64 * shard_octets, true, seed).play(40'000);
}

TEST(CacheModel, WithLittleRoomIsRightOrKnowsNothing) {
  const std::uint64_t seed = seed_of_this_run();
  SCOPED_TRACE(testing::Message() << "SOTTO_TEST_SEED=" << seed);
  RecordProperty("seed", std::to_string(seed));
  Player(2 * shard_octets, false, seed).play(40'000);
}

// Over random instants: never longer than stored, never longer than before, over at its end.
TEST(CacheModel, TtlsOnlyFall) {
  const std::uint64_t seed = seed_of_this_run();
  SCOPED_TRACE(testing::Message() << "SOTTO_TEST_SEED=" << seed);
  Random random(seed);
  for (int round = 0; round < 2'000; ++round) {
    CacheWorld world(shard_octets, seed);
    world.wait(Duration{static_cast<std::int64_t>(random.below(1'000'000'000))});
    const Question question = test::ask("a.example");
    const auto life = static_cast<std::uint32_t>(1 + random.below(round % 2 == 0 ? 5 : 100'000));
    const Answer stored = test::make_answer(
        question,
        {.answers = {test::record(test::to_qname, rtype::a, life, {1, 2, 3, 4}),
                     test::record(test::wire("b.example"), rtype::a, life + 9, {1, 2, 3, 4})}});
    const Duration past{static_cast<std::int64_t>(random.below(life * 500'000'000ULL))};
    const bool restored = round % 3 == 0;
    if (restored) {
      ASSERT_TRUE(world.cache.restore(question, stored, past, world.now, world.cache.generation()));
    } else {
      world.store(question, stored);
    }
    const Instant begin = restored ? world.now - past : world.now;
    std::vector<std::uint32_t> before = test::ttls(stored);
    while (world.now - begin < 2 * std::chrono::seconds{life}) {
      const State state = world.state(question);
      const Duration age = world.now - begin;
      // Early by a tick for the clock's own rounding, by another for that of a restored age.
      ASSERT_TRUE(age < std::chrono::seconds{life}
                      ? state == State::fresh || age > std::chrono::seconds{life} - 2 * tick_length
                      : state == State::stale);
      if (state != State::fresh) break;
      const std::vector<std::uint32_t> now = test::ttls(world.answer);
      for (std::size_t i = 0; i < now.size(); ++i) {
        ASSERT_LE(now[i], before[i]);
        ASSERT_LE(now[i] + age / 1s, test::ttls(stored)[i]);
        ASSERT_GE(now[i] + (age + 2 * tick_length) / 1s, test::ttls(stored)[i]);
      }
      ASSERT_EQ(world.answer.ttl_min, now[0]);
      ASSERT_GT(now[0], 0U);
      before = now;
      world.wait(Duration{static_cast<std::int64_t>(random.below(life * 300'000'000ULL))});
    }
  }
}

}  // namespace
}  // namespace sotto
