#include "cache/cache.h"

#include <gtest/gtest.h>

#include "cache_world.h"

namespace sotto {
namespace {

using namespace std::chrono_literals;
using test::aged;
using test::ask;
using test::CacheWorld;
using test::Content;
using test::ede;
using test::make_addresses;
using test::make_answer;
using test::octets;
using test::Octets;
using test::record;
using test::same;
using test::soa;
using test::to_qname;
using test::ttls;
using test::wire;
using State = Cache::State;

// 255 octets: three labels of 63 letters and one of 61.
std::string longest_name(char letter) {
  std::string name;
  for (const std::size_t label : std::initializer_list<std::size_t>{63, 63, 63, 61}) {
    name += std::string(label, letter) + ".";
  }
  return name;
}

std::vector<Octets> repeated(const Octets& record, std::size_t count) {
  return std::vector<Octets>(count, record);
}

struct Shape {
  const char* reason;
  Question question;
  Content content;
};

std::vector<Shape> shapes() {
  const Octets a = record(to_qname, rtype::a, 300, octets({192, 0, 2, 1}));
  const Octets other = record(wire("other.net"), rtype::a, 200, octets({192, 0, 2, 2}));
  const Octets cname = record(to_qname, rtype::cname, 900, wire("target.example"));
  const Octets target = record(wire("target.example"), rtype::a, 20, octets({192, 0, 2, 3}));
  const Octets txt = record(to_qname, rtype::txt, 60, Octets(1'100, 9));
  const Octets root = record(octets({0}), rtype::ns, 86'400, wire("a.root-servers.net"));
  const std::string text(64, 'e');
  return {
      {"one address", ask("a.example"), {.answers = {a}}},
      {"an RRset of forty", ask("b.example"), {.answers = repeated(a, 40)}},
      {"AD", ask("c.example"), {.flags = 0x81A0, .answers = {a}}},
      {"a chain of two RRsets", ask("d.example"), {.answers = {cname, target}}},
      {"all sections",
       ask("e.example"),
       {.answers = {cname, target, target}, .authorities = {other}, .additionals = {a, a, other}}},
      {"records in authority alone", ask("f.example"), {.authorities = {soa(30)}}},
      {"NXDOMAIN", ask("g.example"), {.flags = 0x8183, .authorities = {soa(40)}}},
      {"NXDOMAIN, AD and EDE",
       ask("h.example"),
       {.flags = 0x81A3, .authorities = {soa(40)}, .ede = ede(29, "made up")}},
      {"EDE without text", ask("i.example"), {.answers = {a}, .ede = ede(4)}},
      {"EDE of code 0", ask("j.example"), {.answers = {a}, .ede = ede(0, "x")}},
      {"EDE with the longest text", ask("k.example"), {.answers = {a}, .ede = ede(65'535, text)}},
      {"EDE behind several RRsets",
       ask("l.example"),
       {.answers = {cname, target}, .ede = ede(3, "deep")}},
      {"an RCODE of twelve bits", ask("m.example"), {.answers = {a}, .rcode_high = 0xFF}},
      {"all bits of it", ask("n.example"), {.flags = 0x818F, .answers = {a}, .rcode_high = 0xAB}},
      {"the root", ask(".", rtype::ns), {.answers = {root}}},
      {"the longest name", ask(longest_name('a')), {.answers = {a}}},
      {"its neighbour", ask(longest_name('b')), {.answers = {a, a}}},
      {"64 kB in one RRset", ask("o.example", rtype::txt), {.answers = repeated(txt, 58)}},
      {"a thousand RRsets",
       ask("p.example", rtype::any),
       {.answers =
            [] {
              std::vector<Octets> all;
              for (unsigned type = 1'000; type < 2'000; ++type) {
                all.push_back(record(to_qname, static_cast<std::uint16_t>(type), 77, octets({1})));
              }
              return all;
            }()}},
      {"the smallest RRsets, as many as there may be",
       ask(".", rtype::any),
       {.answers =
            [] {
              std::vector<Octets> all;
              for (unsigned type = 1'000; type < 1'000 + 5'950; ++type) {
                all.push_back(record(octets({0}), static_cast<std::uint16_t>(type), 77, {}));
              }
              return all;
            }()}},
      {"the longest life there is",
       ask("q.example"),
       {.answers = {record(to_qname, rtype::a, 0x7FFF'FFFF, octets({1, 2, 3, 4}))}}},
  };
}

TEST(Cache, GivesBackWhatItWasGiven) {
  CacheWorld world(8 * shard_octets);
  for (const Shape& shape : shapes()) {
    EXPECT_EQ(world.state(shape.question), State::absent) << shape.reason;
    world.store(shape.question, make_answer(shape.question, shape.content));
  }
  // Backwards, so that each finds another's answer in the object it fills.
  const auto all = shapes();
  for (auto shape = all.rbegin(); shape != all.rend(); ++shape) {
    const Cache::Found found = world.find(shape->question);
    EXPECT_EQ(found.state, State::fresh) << shape->reason;
    EXPECT_FALSE(found.refresh_due) << shape->reason;
    EXPECT_TRUE(same(world.answer, make_answer(shape->question, shape->content))) << shape->reason;
  }
  EXPECT_EQ(world.cache.stats().entries, all.size());
  EXPECT_EQ(world.cache.stats().stored, all.size());
  EXPECT_TRUE(world.cache.consistent());
}

TEST(Cache, KeysDifferInEveryPart) {
  const Octets name = wire("a.example");
  const RouteId route("home");
  const Question questions[] = {
      {name, rtype::a, rclass::in, {}},
      {name, rtype::aaaa, rclass::in, {}},
      {name, rtype::a, 3, {}},
      {name, rtype::a, rclass::in, {.recursion_desired = false}},
      {name, rtype::a, rclass::in, {.checking_disabled = true}},
      {name, rtype::a, rclass::in, {.dnssec_ok = true}},
      {name, rtype::a, rclass::in, {.checking_disabled = true, .dnssec_ok = true}},
      {name, rtype::a, rclass::in, {}, route},
      {name, rtype::a, rclass::in, {}, RouteId("office")},
      {name, rtype::a, rclass::in, {.dnssec_ok = true}, route},
      {wire("b.example"), rtype::a, rclass::in, {}},
      {wire("a.a.example"), rtype::a, rclass::in, {}},
      {wire("aexample"), rtype::a, rclass::in, {}},
      {wire("example"), rtype::a, rclass::in, {}},
  };
  CacheWorld world(shard_octets);
  for (unsigned i = 0; i < std::size(questions); ++i) {
    EXPECT_EQ(world.state(questions[i]), State::absent) << i;
    world.store(questions[i], make_addresses(questions[i], 100 + i, i));
  }
  for (unsigned i = 0; i < std::size(questions); ++i) {
    EXPECT_EQ(world.state(questions[i]), State::fresh) << i;
    EXPECT_TRUE(same(world.answer, make_addresses(questions[i], 100 + i, i))) << i;
  }
  const Question spelled(wire("A.eXample"), rtype::a, rclass::in, {});
  EXPECT_EQ(world.state(spelled), State::fresh) << "letter case is no difference";
  EXPECT_TRUE(same(world.answer, make_addresses(questions[0], 100, 0)));
}

// Two questions whose hash is the same in full, as somebody who knew the secret could choose them.
TEST(Cache, EqualHashesAreToldApart) {
  CacheWorld world(shard_octets);
  const Question first = ask("first.example");
  const Question second = ask("second.example");
  const std::uint64_t hash = world.cache.hash(first);
  world.store(first, make_addresses(first, 100));
  EXPECT_EQ(world.cache.find(second, hash, world.now, world.answer).state, State::absent);
  EXPECT_FALSE(world.cache.claim_refresh(second, hash));
  const Question with_do = ask("first.example", rtype::a, {.dnssec_ok = true});
  EXPECT_EQ(world.cache.find(with_do, hash, world.now, world.answer).state, State::absent);
  EXPECT_EQ(world.state(first), State::fresh);
}

TEST(Cache, ANewAnswerTakesThePlaceOfTheOld) {
  CacheWorld world(shard_octets);
  const Question question = ask("a.example");
  const Octets small = record(to_qname, rtype::a, 300, octets({192, 0, 2, 1}));
  const Octets large = record(to_qname, rtype::txt, 60, Octets(900, 1));
  const Content contents[] = {{.answers = {small}},
                              {.answers = {small}, .ede = ede(1, "text")},
                              {.answers = {small}},
                              {.answers = repeated(large, 60)},
                              {.answers = repeated(large, 59)},
                              {.flags = 0x8183, .authorities = {soa(40)}},
                              {.answers = {small, small, small, small, small}},
                              {.flags = 0x81A0, .answers = {small, large}}};
  for (const Content& content : contents) {
    world.store(question, make_answer(question, content));
    EXPECT_EQ(world.state(question), State::fresh);
    EXPECT_TRUE(same(world.answer, make_answer(question, content)));
    EXPECT_EQ(world.cache.stats().entries, 1U);
    EXPECT_TRUE(world.cache.consistent());
    world.wait(1s);
  }
  EXPECT_EQ(world.cache.stats().stored, std::size(contents));
  EXPECT_EQ(world.cache.stats().evicted, 0U);
}

TEST(Cache, EachRrsetAgesFromItsOwnTtl) {
  CacheWorld world;
  const Question question = ask("a.example");
  const Answer stored = make_answer(
      question, {.answers = {record(to_qname, rtype::cname, 900, wire("t.example")),
                             record(wire("t.example"), rtype::a, 20, octets({1, 2, 3, 4}))},
                 .authorities = {record(wire("example"), rtype::ns, 86'400, wire("ns.example"))}});
  world.store(question, stored);
  EXPECT_EQ(ttls(stored), (std::vector<std::uint32_t>{900, 20, 86'400}));
  const Instant begin = world.now;
  for (const std::uint32_t age : {0U, 1U, 2U, 10U, 19U}) {
    world.now = begin + std::chrono::seconds{age};
    EXPECT_EQ(world.state(question), State::fresh) << age;
    EXPECT_EQ(ttls(world.answer), (std::vector<std::uint32_t>{900 - age, 20 - age, 86'400 - age}));
    EXPECT_TRUE(same(world.answer, aged(stored, age))) << age;
  }
  // The last instant before and the first at the lowest TTL; ticks are sixteenths of a second.
  world.now = begin + 20s - tick_length;
  EXPECT_EQ(world.state(question), State::fresh);
  EXPECT_EQ(ttls(world.answer), (std::vector<std::uint32_t>{881, 1, 86'381}));
  world.now = begin + 20s;
  EXPECT_EQ(world.state(question), State::stale);
}

TEST(Cache, ALongLifeIsCountedToItsEnd) {
  CacheWorld world;
  const Question question = ask("a.example");
  constexpr std::uint32_t month = 30 * 86'400;
  world.store(question, make_addresses(question, month));
  world.cache.set_stale_max_age(0s);
  world.wait(std::chrono::seconds{month - 1});
  EXPECT_EQ(world.state(question), State::fresh);
  EXPECT_EQ(ttls(world.answer), (std::vector<std::uint32_t>{1}));
  world.wait(1s);
  EXPECT_EQ(world.state(question), State::absent);
}

// Workers read the clock at the begin of their turns: one may be a little behind another.
TEST(Cache, WhatAnotherWorkerStoredAMomentAheadIsFresh) {
  CacheWorld world;
  const Question question = ask("a.example");
  world.store(question, make_addresses(question, 100));
  world.now -= 300ms;
  const Cache::Found found = world.find(question);
  EXPECT_EQ(found.state, State::fresh);
  EXPECT_FALSE(found.refresh_due);
  EXPECT_EQ(ttls(world.answer), (std::vector<std::uint32_t>{100}));
  world.fail(question);
  EXPECT_EQ(world.state(question), State::fresh) << "a failure displaced an answer";
  world.cache.visit(0, world.now, [](const CachedEntry& entry) { EXPECT_EQ(entry.age, 0s); });
}

TEST(Cache, TheLastTenthIsForRefreshing) {
  struct {
    std::uint32_t ttl;
    Duration due_from;
  } const cases[] = {{10, 9s}, {100, 90s}, {3'600, 3'240s}, {86'400, 77'760s}, {5, 4'500ms}};
  for (const auto& test : cases) {
    CacheWorld world;
    const Question question = ask("a.example");
    world.store(question, make_addresses(question, test.ttl));
    const Instant begin = world.now;
    EXPECT_FALSE(world.find(question).refresh_due) << test.ttl;
    world.now = begin + test.due_from - tick_length;
    EXPECT_FALSE(world.find(question).refresh_due) << test.ttl;
    world.now = begin + test.due_from;
    EXPECT_TRUE(world.find(question).refresh_due) << test.ttl;
    EXPECT_TRUE(world.find(question).refresh_due) << "asking is not claiming";
    EXPECT_TRUE(world.claim(question)) << test.ttl;
    EXPECT_FALSE(world.claim(question)) << test.ttl;
    EXPECT_EQ(world.state(question), State::fresh) << test.ttl;
    EXPECT_FALSE(world.find(question).refresh_due) << test.ttl;

    world.store(question, make_addresses(question, test.ttl));
    EXPECT_FALSE(world.find(question).refresh_due) << test.ttl;
    world.wait(test.due_from);
    EXPECT_TRUE(world.find(question).refresh_due) << "a new answer, a new claim";
    EXPECT_TRUE(world.claim(question)) << test.ttl;
  }
}

TEST(Cache, OnlyAnswersAreClaimed) {
  CacheWorld world;
  EXPECT_FALSE(world.claim(ask("absent.example")));
  world.fail(ask("failed.example"));
  EXPECT_FALSE(world.claim(ask("failed.example")));
}

TEST(Cache, WithoutABudgetNothingIsKept) {
  for (const std::size_t octets : {std::size_t{0}, std::size_t{1}, shard_octets - 1}) {
    CacheWorld world(octets);
    const Question question = ask("a.example");
    EXPECT_FALSE(world.cache.keeps_anything());
    EXPECT_EQ(world.cache.shards(), 0U);
    world.store(question, make_addresses(question, 100));
    world.fail(question);
    world.hold(question);
    EXPECT_FALSE(world.claim(question));
    EXPECT_FALSE(world.cache.restore(question, make_addresses(question, 100), 0s, world.now,
                                     world.cache.generation()));
    EXPECT_EQ(world.state(question), State::absent);
    EXPECT_EQ(world.cache.flush(), 0U);
    EXPECT_EQ(world.cache.flush(question.name(), true), 0U);
    const CacheStats stats = world.cache.stats();
    EXPECT_EQ(stats.entries + stats.octets + stats.octets_max + stats.stored + stats.evicted, 0U);
  }
}

TEST(Cache, TheBudgetIsWholeShards) {
  CacheWorld world(3 * shard_octets + shard_octets / 2);
  EXPECT_TRUE(world.cache.keeps_anything());
  EXPECT_EQ(world.cache.shards(), 3U);
  EXPECT_EQ(world.cache.stats().octets_max, 3 * shard_octets);
}

TEST(Cache, HashesAreKeyedByASecret) {
  CacheWorld first(shard_octets, 1);
  CacheWorld second(shard_octets, 2);
  const Question question = ask("a.example");
  EXPECT_NE(first.cache.hash(question), second.cache.hash(question));
  EXPECT_EQ(first.cache.hash(question), first.cache.hash(ask("A.Example")));
}

}  // namespace
}  // namespace sotto
