#include "base/random.h"

#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace sotto {
namespace {

std::vector<std::uint64_t> draw(Random& random, std::size_t count) {
  std::vector<std::uint64_t> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(random.next64());
  return values;
}

TEST(Random, ASeedRepeatsItsSequence) {
  Random first(42);
  Random second(42);
  Random other(43);
  const auto values = draw(first, 1'000);
  EXPECT_EQ(values, draw(second, 1'000));
  EXPECT_NE(values, draw(other, 1'000));
}

TEST(Random, TheKernelsNeverRepeats) {
  Random first;
  Random second;
  std::set<std::uint64_t> seen;
  for (const auto value : draw(first, 2'000)) EXPECT_TRUE(seen.insert(value).second);
  for (const auto value : draw(second, 2'000)) EXPECT_TRUE(seen.insert(value).second);
}

TEST(Random, NoOctetsAreUsedTwice) {
  // Whole words, and words moved over a block's end by a 16-bit draw now and then.
  Random random(1);
  std::set<std::uint32_t> halves;
  for (int i = 0; i < 1'000; ++i) {
    if (i % 7 == 0) random.next16();
    const std::uint64_t value = random.next64();
    EXPECT_TRUE(halves.insert(static_cast<std::uint32_t>(value)).second);
    EXPECT_TRUE(halves.insert(static_cast<std::uint32_t>(value >> 32U)).second);
  }
}

TEST(Random, BelowStaysBelowAndReachesEveryValue) {
  Random random(5);
  for (const std::uint64_t bound : std::initializer_list<std::uint64_t>{1, 2, 3, 7, 64, 100}) {
    std::vector<unsigned> hits(bound, 0);
    for (std::uint64_t i = 0; i < bound * 1'000; ++i) {
      const std::uint64_t value = random.below(bound);
      ASSERT_LT(value, bound);
      ++hits[value];
    }
    // 1,000 expected each; six standard deviations are 190.
    for (const unsigned count : hits) EXPECT_NEAR(count, 1'000, 190) << bound;
  }
}

TEST(Random, BelowIsEvenForLargeBounds) {
  // Taking the remainder alone would give the lower third of this range twice the weight.
  Random random(6);
  const std::uint64_t bound = std::uint64_t{3} << 62U;
  unsigned lower_third = 0;
  for (int i = 0; i < 9'000; ++i) lower_third += random.below(bound) < bound / 3 ? 1U : 0U;
  EXPECT_NEAR(lower_third, 3'000, 270);
}

TEST(Random, AllSixteenBitsVary) {
  Random random(9);
  std::array<unsigned, 16> ones{};
  for (int i = 0; i < 4'000; ++i) {
    const std::uint16_t value = random.next16();
    for (std::size_t bit = 0; bit < ones.size(); ++bit) ones[bit] += value >> bit & 1U;
  }
  for (const unsigned count : ones) EXPECT_NEAR(count, 2'000, 190);
}

}  // namespace
}  // namespace sotto
