#include "base/probe_table.h"

#include <gtest/gtest.h>
#include <map>
#include <string>

#include "base/random.h"

namespace sotto {
namespace {

TEST(ProbeTable, FindsNothingInAnEmptyOne) {
  const ProbeTable<int> table;
  EXPECT_FALSE(table.contains(0));
}

TEST(ProbeTable, KeepsValuesOfEqualHashesApart) {
  ProbeTable<int> table;
  table.insert(7, 1);
  table.insert(7, 2);
  table.erase(7, [](int value) { return value == 1; });
  EXPECT_FALSE(table.find(7, [](int value) { return value == 1; }));
  EXPECT_EQ(table.find(7, [](int value) { return value == 2; }), 2);
}

// Hashes from a small range, so that runs are long and wrap around.
TEST(ProbeTable, AgreesWithAMap) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random{seed};
    ProbeTable<std::uint64_t> table{16};
    std::map<std::uint64_t, std::uint64_t> model;  // value by key; the hash is key modulo 40
    for (std::uint64_t step = 0; step < 5'000; ++step) {
      const std::uint64_t key = random.below(200);
      const std::uint64_t hash = key % 40;
      const auto is_key = [key](std::uint64_t value) { return value % 200 == key; };
      if (model.contains(key)) {
        ASSERT_EQ(table.find(hash, is_key), model[key]);
        table.erase(hash, is_key);
        model.erase(key);
      } else {
        ASSERT_FALSE(table.find(hash, is_key));
        table.insert(hash, step * 200 + key);
        model[key] = step * 200 + key;
      }
      ASSERT_EQ(table.size(), model.size());
    }
  }
}

}  // namespace
}  // namespace sotto
