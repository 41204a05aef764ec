#include "base/slot_map.h"

#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"

namespace sotto {
namespace {

struct Value {
  std::string text;
  int resets = 0;
  void reset() {
    text.clear();
    ++resets;
  }
};

struct TestTag {};
using Map = SlotMap<Value, TestTag>;

TEST(SlotMap, FindsWhatWasInserted) {
  Map map;
  const Map::Id first = map.insert();
  const Map::Id second = map.insert();
  EXPECT_TRUE(first);
  EXPECT_NE(first, second);
  map.at(first).text = "first";
  map.at(second).text = "second";
  EXPECT_EQ(map.find(first)->text, "first");
  EXPECT_EQ(map.size(), 2U);
}

TEST(SlotMap, TheZeroIdFindsNothing) {
  Map map;
  map.insert();
  EXPECT_FALSE(Map::Id{});
  EXPECT_EQ(map.find(Map::Id{}), nullptr);
}

TEST(SlotMap, IdsGoStale) {
  Map map;
  const Map::Id stale = map.insert();
  map.at(stale).text = "old";
  map.erase(stale);
  EXPECT_EQ(map.find(stale), nullptr);
  EXPECT_EQ(map.size(), 0U);
  const Map::Id fresh = map.insert();
  EXPECT_EQ(fresh.slot, stale.slot);  // the slot is used anew
  EXPECT_EQ(map.find(stale), nullptr);
  EXPECT_EQ(map.at(fresh).text, "");
  EXPECT_EQ(map.at(fresh).resets, 1);
}

TEST(SlotMap, IdsOfAnotherMapFindNothing) {
  Map small;
  Map large;
  large.insert();
  EXPECT_EQ(small.find(large.insert()), nullptr);
}

TEST(SlotMap, AddressesStay) {
  Map map;
  const Map::Id first = map.insert();
  const Value* const address = map.find(first);
  for (int i = 0; i < 10'000; ++i) map.insert();
  EXPECT_EQ(map.find(first), address);
}

TEST(SlotMapDeathTest, AStaleIdIsNoErrorOfTheNetwork) {
  Map map;
  const Map::Id stale = map.insert();
  map.erase(stale);
  EXPECT_DEATH(map.at(stale), "value != nullptr");
  EXPECT_DEATH(map.erase(stale), "value != nullptr");
}

TEST(SlotMap, VisitsEveryValueOnce) {
  Map map;
  const Map::Id first = map.insert();
  const Map::Id second = map.insert();
  const Map::Id third = map.insert();
  map.erase(second);
  std::vector<Map::Id> visited;
  map.for_each([&](Map::Id id, Value&) { visited.push_back(id); });
  EXPECT_EQ(visited, (std::vector<Map::Id>{first, third}));
}

TEST(SlotMap, AgreesWithAMap) {
  Random random(3);
  Map map;
  std::map<int, Map::Id> live;
  std::vector<Map::Id> dead;
  for (int step = 0; step < 20'000; ++step) {
    if (live.empty() || random.below(5) < 3) {
      const Map::Id id = map.insert();
      map.at(id).text = std::to_string(step);
      live.emplace(step, id);
    } else {
      auto victim = live.begin();
      std::advance(victim, static_cast<std::ptrdiff_t>(
                               random.below(std::min<std::size_t>(live.size(), 50))));
      map.erase(victim->second);
      dead.push_back(victim->second);
      live.erase(victim);
    }
  }
  EXPECT_EQ(map.size(), live.size());
  for (const auto& [step, id] : live) EXPECT_EQ(map.at(id).text, std::to_string(step));
  for (const Map::Id id : dead) EXPECT_EQ(map.find(id), nullptr);
}

}  // namespace
}  // namespace sotto
