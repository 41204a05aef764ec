// The simulation itself: it repeats itself, finds bugs that are put in, and makes them small. And
// what it found once, in tests/sim/regressions, stays mended.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "event_queue.h"
#include "shrink.h"

namespace sotto::sim {
namespace {

TEST(EventQueue, KeepsTheOrderOfTimeAndOfAdding) {
  EventQueue queue;
  std::string order;
  const Instant first{std::chrono::seconds{1}};
  const Instant second{std::chrono::seconds{2}};
  queue.at(second, [&] { order += 'c'; });
  queue.at(first, [&] {
    order += 'a';
    queue.at(first, [&] { order += 'd'; });  // due, but of the next turn
  });
  queue.at(first, [&] { order += 'b'; });
  EXPECT_EQ(queue.next(), first);
  queue.run_due(second);
  EXPECT_EQ(order, "abc");
  queue.run_due(second);
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(queue.next(), never);
}

TEST(Simulation, RepeatsItself) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Scenario scenario = generate(seed);
    ASSERT_EQ(scenario, generate(seed));
    const RunResult once = run(scenario);
    const RunResult again = run(scenario, {.trace_lines = 10});
    EXPECT_EQ(once.hash, again.hash) << "seed " << seed;
    EXPECT_EQ(once.events, again.events) << "seed " << seed;
    EXPECT_GT(once.events, 20U) << "seed " << seed;
  }
  EXPECT_NE(run(generate(1)).hash, run(generate(2)).hash);
}

TEST(Scenario, SurvivesBeingWrittenDown) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Scenario scenario = generate(seed);
    std::string error;
    const auto parsed = parse(to_text(scenario), error);
    ASSERT_TRUE(parsed) << error;
    EXPECT_EQ(*parsed, scenario) << "seed " << seed;
  }
}

TEST(Scenario, NamesTheLineItCannotRead) {
  std::string error;
  EXPECT_FALSE(parse("settings seed=1\ngroup selection=0\nupstream group=1\n", error));
  EXPECT_EQ(error, "upstream group=1");
  EXPECT_FALSE(parse("settings seed=x\n", error));
  EXPECT_EQ(error, "settings seed=x");
  EXPECT_FALSE(parse("settings seed=1\n", error));
  EXPECT_EQ(error, "no upstream");
}

// All faults there are come up, and so does every selection: what is not generated is not tested.
TEST(Scenario, LeavesNothingOut) {
  std::set<Fault> faults;
  std::set<unsigned> groups;
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    const Scenario scenario = generate(seed);
    for (const FaultEntry& entry : scenario.faults) faults.insert(entry.fault);
    groups.insert(scenario.settings.groups.begin(), scenario.settings.groups.end());
  }
  EXPECT_EQ(faults.size(), fault_kinds);
  EXPECT_EQ(groups.size(), selections);
}

struct PlantCase {
  Plant plant;
  const char* invariant;
};

// Seeds until the planted bug shows, where without it nothing does.
std::optional<std::uint64_t> seed_that_finds(const PlantCase& planted, std::uint64_t seeds_max) {
  for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
    const Scenario scenario = generate(seed);
    const RunResult result = run(scenario, {.plant = planted.plant});
    if (!result.failure || result.failure->invariant != planted.invariant) continue;
    if (!run(scenario).failure) return seed;
  }
  return std::nullopt;
}

TEST(Simulation, FindsWhatIsPlantedAndMakesItSmall) {
  const PlantCase cases[] = {
      {Plant::matches_by_id, "right"},
      {Plant::forgets_lost, "prompt"},
      {Plant::charges_none, "budget"},
  };
  for (const PlantCase& planted : cases) {
    const auto seed = seed_that_finds(planted, 500);
    ASSERT_TRUE(seed) << planted.invariant;
    const Shrunk shrunk = shrink(generate(*seed), {.plant = planted.plant});
    ASSERT_TRUE(shrunk.result.failure);
    EXPECT_EQ(shrunk.result.failure->invariant, planted.invariant);
    EXPECT_LE(shrunk.scenario.faults.size(), 3U) << to_text(shrunk.scenario);
    // Five sends of one question, which "budget" needs, take connections that others keep busy.
    EXPECT_LE(shrunk.scenario.queries.size(), 7U) << to_text(shrunk.scenario);
    EXPECT_FALSE(run(shrunk.scenario).failure) << to_text(shrunk.scenario);
  }
}

TEST(Simulation, WhatItFoundStaysMended) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SIM_REGRESSIONS)) {
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    std::string error;
    const auto scenario = parse(text.str(), error);
    ASSERT_TRUE(scenario) << entry.path() << ": " << error;
    const RunResult result = run(*scenario);
    EXPECT_FALSE(result.failure) << entry.path() << ": " << result.failure->invariant << ": "
                                 << result.failure->text;
    ++files;
  }
  EXPECT_GT(files, 0U);
}

}  // namespace
}  // namespace sotto::sim
