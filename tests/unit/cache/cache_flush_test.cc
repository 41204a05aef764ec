// What operators do to a cache: flush, show, save and restore; and what it forgets by itself.
#include <gtest/gtest.h>
#include <map>

#include "cache_world.h"

namespace sotto {
namespace {

using namespace std::chrono_literals;
using test::aged;
using test::ask;
using test::CacheWorld;
using test::ede;
using test::gone_stale;
using test::make_addresses;
using test::make_answer;
using test::Octets;
using test::same;
using test::servfail;
using test::soa;
using test::wire;
using State = Cache::State;

const Question question = ask("a.example");

TEST(CacheGeneration, OfBeforeAFlushIsRefused) {
  CacheWorld world;
  const std::uint64_t hash = world.cache.hash(question);
  const Answer answer = make_addresses(question, 100);
  const auto put_back = [&](std::uint32_t generation) {
    world.cache.store_failure(question, hash, servfail(question), Cache::FailureOrigin::upstream,
                              world.now, generation);
    const bool failure_kept = world.state(question) == State::failure;
    world.cache.store(question, hash, answer, world.now, generation);
    EXPECT_EQ(world.state(question) == State::fresh, failure_kept);
    return failure_kept;
  };
  std::uint32_t before = world.cache.generation();
  world.cache.flush();
  EXPECT_FALSE(put_back(before));
  EXPECT_TRUE(put_back(world.cache.generation()));

  before = world.cache.generation();
  world.cache.flush(question.name(), false);
  EXPECT_FALSE(put_back(before));
  EXPECT_TRUE(put_back(world.cache.generation()));

  before = world.cache.generation();
  world.cache.flush(wire("example"), true);
  EXPECT_FALSE(put_back(before));
  EXPECT_TRUE(put_back(world.cache.generation()));
}

TEST(CacheFlush, ForgetsEverything) {
  CacheWorld world(4 * shard_octets);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 2'000; ++i) {
      const Question asked = ask(std::to_string(i) + ".example");
      i % 10 == 0 ? world.fail(asked) : world.store(asked, make_addresses(asked, 100));
    }
    EXPECT_EQ(world.cache.stats().entries, 2'000U);
    EXPECT_TRUE(world.cache.consistent());
    EXPECT_EQ(world.cache.flush(), 2'000U);
    EXPECT_TRUE(world.cache.consistent());
    const CacheStats stats = world.cache.stats();
    EXPECT_EQ(stats.entries, 0U);
    EXPECT_EQ(stats.octets, CacheWorld(4 * shard_octets).cache.stats().octets);
    EXPECT_EQ(stats.evicted, 0U) << "what is flushed was not evicted for lack of room";
    for (int i = 0; i < 2'000; ++i) {
      EXPECT_EQ(world.state(ask(std::to_string(i) + ".example")), State::absent);
    }
    EXPECT_EQ(world.cache.flush(), 0U);
  }
}

struct FlushCase {
  const char* reason;
  const char* name;
  bool below;
  std::vector<std::string> forgotten;
};

TEST(CacheFlush, ForgetsANameOrAllBelowIt) {
  const std::vector<std::string> names = {
      ".",          "example",         "a.example",         "b.a.example", "c.b.a.example",
      "ba.example", "xa.example",      "a.example.a",       "example.a",   "a.examples",
      "aa.example", R"(b\.a.example)", R"(x\001a.example)", "a",           "b.a.b.example"};
  const FlushCase cases[] = {
      {"one name", "a.example", false, {"a.example"}},
      {"in any case", "A.EXAMPLE", false, {"a.example"}},
      {"a name nobody asked for", "nothing.example", false, {}},
      {"its labels are whole", "A.Example", true, {"a.example", "b.a.example", "c.b.a.example"}},
      {"a dot inside a label", R"(B\.a.example)", true, {R"(b\.a.example)"}},
      {"a length that looks like a letter", R"(\001a.example)", true, {}},
      {"nothing below", "c.b.a.example", true, {"c.b.a.example"}},
      {"a parent that is not there", "b.example", true, {"b.a.b.example"}},
      {"the root alone", ".", false, {"."}},
      {"everything", ".", true, names},
  };
  for (const FlushCase& test : cases) {
    CacheWorld world;
    for (const std::string& name : names) {
      for (const std::uint16_t type : {rtype::a, rtype::aaaa}) {
        world.store(ask(name, type), make_addresses(ask(name, type), 100));
      }
      world.fail(ask(name, rtype::mx));
    }
    ASSERT_EQ(world.cache.stats().entries, 3 * names.size());
    EXPECT_EQ(world.cache.flush(wire(test.name), test.below), 3 * test.forgotten.size())
        << test.reason;
    EXPECT_EQ(world.cache.stats().entries, 3 * (names.size() - test.forgotten.size()));
    for (const std::string& name : names) {
      const bool gone =
          std::find(test.forgotten.begin(), test.forgotten.end(), name) != test.forgotten.end();
      for (const std::uint16_t type : {rtype::a, rtype::aaaa, rtype::mx}) {
        EXPECT_EQ(world.state(ask(name, type)) == State::absent, gone)
            << test.reason << ": " << name;
      }
    }
    EXPECT_TRUE(world.cache.consistent()) << test.reason;
  }
}

// More than are removed under the lock at once.
TEST(CacheFlush, ForgetsThousandsBelowAName) {
  CacheWorld world(2 * shard_octets);
  for (int i = 0; i < 4'000; ++i) {
    const Question asked = ask(std::to_string(i) + (i % 4 == 0 ? ".org" : ".example"));
    world.store(asked, make_addresses(asked, 100));
  }
  ASSERT_EQ(world.cache.stats().evicted, 0U);
  EXPECT_EQ(world.cache.flush(wire("example"), true), 3'000U);
  EXPECT_TRUE(world.cache.consistent());
  for (int i = 0; i < 4'000; ++i) {
    const Question asked = ask(std::to_string(i) + (i % 4 == 0 ? ".org" : ".example"));
    EXPECT_EQ(world.state(asked), i % 4 == 0 ? State::fresh : State::absent);
  }
}

TEST(CacheVisit, ShowsEveryEntryAsItWasStored) {
  CacheWorld world(4 * shard_octets);
  std::map<Octets, Answer> stored;
  const auto key = [](const Question& asked) {
    return Octets(asked.key().begin(), asked.key().end());
  };
  for (unsigned i = 0; i < 300; ++i) {
    const Question asked(wire(std::to_string(i) + ".example"), static_cast<std::uint16_t>(i % 70),
                         static_cast<std::uint16_t>(1 + i % 2),
                         {.recursion_desired = i % 3 == 0, .dnssec_ok = i % 5 == 0},
                         i % 7 == 0 ? RouteId("home") : RouteId());
    stored[key(asked)] =
        i % 11 == 0
            ? make_answer(asked,
                          {.flags = 0x81A3, .authorities = {soa(50)}, .ede = ede(i, "reason")})
            : make_addresses(asked, 100 + i, i % 256);
    world.store(asked, stored[key(asked)]);
  }
  world.fail(question, servfail(question, ede(22, "gone")));
  world.wait(70s);
  std::size_t failures = 0;
  for (std::size_t shard = 0; shard < world.cache.shards(); ++shard) {
    world.cache.visit(shard, world.now, [&](const CachedEntry& entry) {
      EXPECT_EQ(entry.age, 70s);
      if (entry.failure) {
        ++failures;
        EXPECT_EQ(entry.question, question);
        EXPECT_TRUE(same(entry.answer, servfail(question, ede(22, "gone"))));
        return;
      }
      const auto at = stored.find(key(entry.question));
      ASSERT_NE(at, stored.end()) << "seen twice, or never stored";
      EXPECT_TRUE(same(entry.answer, at->second));
      EXPECT_EQ(entry.ttl, at->second.ttl_min);
      stored.erase(at);
    });
  }
  EXPECT_EQ(failures, 1U);
  EXPECT_TRUE(stored.empty()) << stored.size() << " were not shown";
}

TEST(CacheRestore, AgesWhatItTakesUp) {
  CacheWorld world;
  const Answer saved = make_addresses(question, 100);
  EXPECT_TRUE(world.cache.restore(question, saved, 40s, world.now, world.cache.generation()));
  EXPECT_EQ(world.state(question), State::fresh);
  EXPECT_TRUE(same(world.answer, aged(saved, 40)));
  world.wait(60s - tick_length);
  EXPECT_EQ(world.state(question), State::fresh);
  world.wait(tick_length);
  EXPECT_EQ(world.state(question), State::stale);
  EXPECT_TRUE(same(world.answer, gone_stale(saved)));
}

TEST(CacheRestore, RoundsAgesUp) {
  CacheWorld world;
  EXPECT_TRUE(world.cache.restore(question, make_addresses(question, 100), 1ns, world.now,
                                  world.cache.generation()));
  world.wait(100s - 1ns);
  EXPECT_NE(world.state(question), State::fresh);
}

TEST(CacheRestore, TakesUpStaleAnswersAndNothingOlder) {
  CacheWorld world;
  world.cache.set_stale_max_age(1h);
  const Answer saved = make_addresses(question, 100);
  for (const Duration age :
       std::initializer_list<Duration>{100s + 1h, 100s + 2h, 24h * 365 * 20, Duration::max()}) {
    EXPECT_FALSE(world.cache.restore(question, saved, age, world.now, world.cache.generation()));
  }
  EXPECT_FALSE(world.cache.restore(question, saved, -1ns, world.now, world.cache.generation()))
      << "from the future";
  EXPECT_EQ(world.cache.stats().entries, 0U);
  EXPECT_TRUE(world.cache.restore(question, saved, 100s + 1h - tick_length, world.now,
                                  world.cache.generation()));
  EXPECT_TRUE(world.find(question).refresh_due);
  EXPECT_EQ(world.state(question), State::stale);
  world.wait(tick_length);
  EXPECT_EQ(world.state(question), State::absent);
}

TEST(CacheRestore, DisplacesNothingThatIsKnown) {
  CacheWorld world;
  const Answer known = make_addresses(question, 10, 1);
  const Answer saved = make_addresses(question, 1'000, 2);
  world.store(question, known);
  EXPECT_FALSE(world.cache.restore(question, saved, 0s, world.now, world.cache.generation()));
  EXPECT_TRUE(world.find(question).state == State::fresh && same(world.answer, known));
  world.wait(11s);
  EXPECT_FALSE(world.cache.restore(question, saved, 12s, world.now, world.cache.generation()));
  EXPECT_EQ(world.state(question), State::stale);
  world.cache.flush();
  world.fail(question);
  EXPECT_FALSE(world.cache.restore(question, saved, 0s, world.now, world.cache.generation()));
  EXPECT_EQ(world.state(question), State::failure);
}

// --- what is forgotten for lack of room ---------------------------------------------------------

TEST(CacheRestore, IsOverByAFlush) {
  CacheWorld world;
  const std::uint32_t before = world.cache.generation();
  world.cache.flush();
  const Answer saved = make_addresses(question, 100);
  EXPECT_FALSE(world.cache.restore(question, saved, 0s, world.now, before));
  EXPECT_TRUE(world.cache.restore(question, saved, 0s, world.now, world.cache.generation()));
}

TEST(CacheEviction, SparesWhatIsFound) {
  CacheWorld world(shard_octets);
  constexpr int hot_names = 500;
  const auto hot = [](int i) { return ask("hot" + std::to_string(i) + ".example"); };
  for (int i = 0; i < hot_names; ++i) world.store(hot(i), make_addresses(hot(i), 86'400));
  // Each hot name is asked for once while as many names as the cache holds are seen but once.
  for (int i = 0; i < 60'000; ++i) {
    const Question once = ask(std::to_string(i) + ".scan.example");
    world.store(once, make_addresses(once, 86'400));
    if (i % 6 == 0) {
      ASSERT_EQ(world.state(hot(i / 6 % hot_names)), State::fresh) << "after " << i;
    }
  }
  const CacheStats stats = world.cache.stats();
  EXPECT_GT(stats.evicted, 50'000U);
  EXPECT_EQ(stats.entries, stats.stored - stats.evicted);
  EXPECT_LE(stats.octets, stats.octets_max);
  EXPECT_GE(stats.octets * 10, stats.octets_max * 9) << "room is left unused";
  EXPECT_TRUE(world.cache.consistent());
}

TEST(CacheEviction, TakesTheOldestOfWhatIsNotFound) {
  CacheWorld world(shard_octets);
  std::vector<Question> asked;
  while (world.cache.stats().evicted == 0) {
    asked.push_back(ask(std::to_string(10'000 + asked.size()) + ".example"));
    world.store(asked.back(), make_addresses(asked.back(), 86'400));
  }
  EXPECT_EQ(world.state(asked[0]), State::absent);
  // What is found stays, the next one that was not goes.
  for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(world.state(asked[i]), State::fresh);
  const Question next = ask("99999.example");
  world.store(next, make_addresses(next, 86'400));
  for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(world.state(asked[i]), State::fresh);
  EXPECT_EQ(world.state(asked[6]), State::absent);
  EXPECT_EQ(world.state(asked[7]), State::fresh);
}

TEST(CacheEviction, ANewEntryIsNotTakenForTheOneThatWasInItsPlace) {
  CacheWorld world(shard_octets);
  std::size_t stored = 0;
  const auto store_next = [&] {
    const Question next = ask(std::to_string(10'000 + stored++) + ".example");
    world.store(next, make_addresses(next, 86'400));
    return next;
  };
  while (world.cache.stats().evicted == 0) store_next();
  const Question found = ask("10001.example");
  EXPECT_EQ(world.state(found), State::fresh);
  EXPECT_EQ(world.cache.flush(found.name(), false), 1U);
  std::size_t older = stored - 2;
  const Question in_its_place = store_next();
  const Question behind_it = store_next();
  ASSERT_EQ(world.cache.stats().evicted, 2U) << "all are of one size";
  while (older-- > 0) store_next();
  EXPECT_EQ(world.state(in_its_place), State::absent);
  EXPECT_EQ(world.state(behind_it), State::fresh);
}

TEST(CacheEviction, TakesWhatIsOfNoUseThoughItWasFound) {
  CacheWorld world(shard_octets);
  world.cache.set_stale_max_age(0s);
  std::vector<Question> asked;
  while (world.cache.stats().evicted == 0) {
    asked.push_back(ask(std::to_string(10'000 + asked.size()) + ".example"));
    const bool brief = asked.size() > 20 && asked.size() <= 40;
    world.store(asked.back(), make_addresses(asked.back(), brief ? 10 : 86'400));
  }
  for (std::size_t i = 1; i < asked.size(); ++i) EXPECT_EQ(world.state(asked[i]), State::fresh);
  const std::uint64_t before = world.cache.stats().evicted;
  world.wait(10s);
  for (int i = 0; i < 20; ++i) {
    const Question next = ask(std::to_string(99'000 + i) + ".example");
    world.store(next, make_addresses(next, 86'400));
  }
  EXPECT_LE(world.cache.stats().evicted, before + 20);
  for (std::size_t i = 1; i < asked.size(); ++i) {
    EXPECT_EQ(world.state(asked[i]), i >= 20 && i < 40 ? State::absent : State::fresh) << i;
  }
}

TEST(CacheEviction, MakesRoomForTheLargest) {
  CacheWorld world(shard_octets);
  const Octets txt = test::record(test::to_qname, rtype::txt, 60, Octets(1'100, 9));
  for (unsigned i = 0; i < 3'000; ++i) {
    const Question asked = ask(std::to_string(i) + ".example", rtype::txt);
    const std::size_t records = i % 50 == 0 ? 58 : 0;
    const Answer answer = records > 0
                              ? make_answer(asked, {.answers = std::vector<Octets>(records, txt)})
                              : make_addresses(asked, 60, i % 256);
    world.store(asked, answer);
    ASSERT_EQ(world.state(asked), State::fresh) << i;
    ASSERT_TRUE(same(world.answer, answer)) << i;
    const CacheStats stats = world.cache.stats();
    ASSERT_LE(stats.octets, stats.octets_max) << i;
    ASSERT_EQ(stats.entries, stats.stored - stats.evicted) << i;
    ASSERT_TRUE(i % 25 != 0 || world.cache.consistent()) << i;
  }
}

}  // namespace
}  // namespace sotto
