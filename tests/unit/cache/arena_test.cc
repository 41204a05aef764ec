#include "cache/arena.h"

#include <gtest/gtest.h>
#include <map>
#include <memory>

#include "base/random.h"

namespace sotto {
namespace {

constexpr std::uint32_t begin = 7;
constexpr std::uint32_t end = 60'007;
constexpr std::size_t room = end - begin;

// An arena over memory full of rubbish, and what a test took of it.
class ArenaTest : public testing::Test {
 protected:
  ArenaTest() {
    for (std::uint32_t i = 0; i < end; ++i) memory_[i] = 0x5A5A'5A5A'5A5A'5A5A;
  }

  // Every word but the head gets a value of the block's own.
  Handle take(std::size_t words) {
    const Handle block = arena.allocate(words);
    if (block == 0) return 0;
    const std::size_t given = arena.head(block).words;
    EXPECT_GE(given, words);
    EXPECT_LE(given, words + 1) << "a single word is too little for a block of its own";
    for (std::size_t i = 1; i < given; ++i) memory_[block + i] = ++marks_;
    blocks.emplace(block, Taken{.words = given, .last_mark = marks_});
    return block;
  }
  void give_back(Handle block) {
    expect_untouched(block);
    blocks.erase(block);
    arena.release(block);
  }
  void expect_untouched(Handle block) {
    const Taken& taken = blocks.at(block);
    ASSERT_EQ(arena.head(block).words, taken.words);
    for (std::size_t i = 1; i < taken.words; ++i) {
      ASSERT_EQ(load_word(memory_[block + i]), taken.last_mark - (taken.words - 1 - i));
    }
  }
  // What was taken is there, nothing overlaps, the rest is free blocks that never touch.
  void expect_tiled() {
    ASSERT_TRUE(arena.consistent());
    std::size_t used = 0;
    std::uint32_t expected = begin;
    bool free_before = false;
    auto taken = blocks.begin();
    for (Handle at = arena.first(); at != 0; at = arena.behind(at)) {
      ASSERT_EQ(at, expected);
      expected += arena.head(at).words;
      const bool is_taken = taken != blocks.end() && taken->first == at;
      ASSERT_EQ(arena.in_use(at), is_taken);
      ASSERT_FALSE(free_before && !is_taken) << "two free blocks side by side";
      free_before = !is_taken;
      if (!is_taken) continue;
      ASSERT_EQ(arena.head(at).words, taken->second.words);
      used += taken->second.words;
      ++taken;
    }
    ASSERT_TRUE(taken == blocks.end());
    ASSERT_FALSE(free_before) << "a free block below top";
    ASSERT_EQ(expected, arena.top());
    ASSERT_EQ(used, arena.words_used());
  }

  struct Taken {
    std::size_t words;
    std::uint64_t last_mark;
  };

 private:
  std::unique_ptr<Word[]> memory_ = std::make_unique<Word[]>(end);
  std::uint64_t marks_ = 0;

 protected:
  Word* memory() { return memory_.get(); }

  Arena arena{memory_.get(), begin, end};
  std::map<Handle, Taken> blocks;
};

TEST_F(ArenaTest, IsUsedToTheLastWord) {
  EXPECT_EQ(arena.first(), 0);
  EXPECT_EQ(arena.allocate(room + 1), 0);
  EXPECT_EQ(take(room), begin);
  EXPECT_EQ(arena.words_used(), room);
  EXPECT_EQ(arena.top(), end);
  EXPECT_EQ(arena.allocate(2), 0);
  give_back(begin);
  EXPECT_EQ(arena.words_used(), 0U);
  EXPECT_EQ(arena.top(), begin);

  for (std::size_t i = 0; i < room / 6; ++i) ASSERT_NE(take(6), 0);
  EXPECT_EQ(arena.allocate(2), 0);
  expect_tiled();
}

TEST_F(ArenaTest, AHoleIsUsedAgain) {
  take(10);
  const Handle hole = take(20);
  take(10);
  give_back(hole);
  expect_tiled();
  EXPECT_EQ(take(20), hole);
  give_back(hole);
  EXPECT_EQ(take(12), hole);
  EXPECT_EQ(take(8), hole + 12) << "the rest of the hole";
  expect_tiled();
}

TEST_F(ArenaTest, ASingleWordLeftOverBelongsToTheBlock) {
  const Handle hole = take(20);
  take(10);
  give_back(hole);
  EXPECT_EQ(take(19), hole);
  EXPECT_EQ(arena.head(hole).words, 20);
  EXPECT_EQ(arena.words_used(), 30U);
  expect_tiled();
  give_back(hole);
  EXPECT_EQ(take(20), hole);
}

TEST_F(ArenaTest, NeighboursMergeInEveryOrder) {
  const std::array<std::array<int, 3>, 6> orders = {
      {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
  take(5);
  for (const auto& order : orders) {
    const std::array<Handle, 3> parts = {take(30), take(40), take(50)};
    const Handle guard = take(5);
    for (const int part : order) {
      give_back(parts.at(static_cast<std::size_t>(part)));
      expect_tiled();
    }
    EXPECT_EQ(arena.head(parts[0]).words, 120);
    EXPECT_EQ(take(60), parts[0]);
    EXPECT_EQ(take(60), parts[0] + 60);
    give_back(parts[0]);
    give_back(static_cast<Handle>(parts[0] + 60));
    give_back(guard);
    EXPECT_EQ(arena.top(), begin + 5) << "what lies below top is given back to it";
  }
}

// Bins above 64 words hold sizes an eighth apart; a hole that much larger than needed is found.
TEST_F(ArenaTest, NoHoleIsOverlookedThatIsAnEighthLarger) {
  for (std::size_t words = 2; words < room - 20; words += words < 2'200 ? 1 : 97) {
    const std::size_t larger = words < 64 ? words : words + words / 8;
    if (larger > room - 20) break;
    take(3);
    const Handle hole = take(larger);
    take(3);
    give_back(hole);
    ASSERT_EQ(take(words), hole) << words;
    arena.reset();
    blocks.clear();
  }
}

TEST_F(ArenaTest, ResetForgetsEverything) {
  for (int i = 2; i < 200; ++i) take(static_cast<std::size_t>(i));
  for (Handle at = arena.first(); at != 0 && arena.behind(at) != 0; at = arena.behind(at)) {
    if (at % 3 == 0 && arena.in_use(at)) give_back(at);
  }
  arena.reset();
  blocks.clear();
  expect_tiled();
  EXPECT_EQ(take(room), begin);
}

TEST_F(ArenaTest, LinksAreTheOwners) {
  const Handle first = take(4);
  const Handle second = take(4);
  arena.set_links(first, second, 17);
  take(9);
  const BlockHead head = arena.head(first);
  EXPECT_EQ(head.words, 4);
  EXPECT_EQ(head.next, second);
  EXPECT_EQ(head.previous, 17);
}

// Mixed sizes, as answers have them: mostly small, now and then one of 64 kB.
TEST_F(ArenaTest, TilesItsRangeWhateverHappens) {
  Random random(11);
  std::size_t refused = 0;
  for (int step = 0; step < 60'000; ++step) {
    // Fills and drains in turns, so that every filling meets holes of the one before.
    const bool filling = step / 3'000 % 2 == 0;
    if (blocks.empty() || random.below(10) < (filling ? 7U : 3U)) {
      const std::uint64_t kind = random.below(100);
      const std::size_t words = kind < 80   ? 2 + random.below(30)
                                : kind < 99 ? 32 + random.below(600)
                                            : 1'000 + random.below(7'200);
      if (take(words) == 0) {
        ++refused;
        ASSERT_LT(end - arena.top(), words) << "room above top was refused";
      }
    } else {
      auto victim = blocks.lower_bound(static_cast<Handle>(begin + random.below(room)));
      if (victim == blocks.end()) victim = blocks.begin();
      ASSERT_NO_FATAL_FAILURE(give_back(victim->first));
    }
    if (step % 64 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_tiled()) << step;
  }
  EXPECT_GT(refused, 100U);
  while (!blocks.empty()) ASSERT_NO_FATAL_FAILURE(give_back(blocks.begin()->first));
  EXPECT_EQ(arena.first(), 0);
  EXPECT_EQ(take(room), begin);
}

// consistent() guards other tests, so it must notice.
TEST_F(ArenaTest, DamageIsNoticed) {
  take(10);
  const Handle free_block = take(10);
  const Handle last = take(10);
  give_back(free_block);
  ASSERT_TRUE(arena.consistent());
  for (const Handle block : {Handle{begin}, free_block, last}) {
    const std::uint64_t word = load_word(memory()[block]);
    for (const std::uint64_t bit : {0U, 3U, 16U, 19U}) {  // in words and words_before
      memory()[block] = word ^ (std::uint64_t{1} << bit);
      EXPECT_FALSE(arena.consistent()) << block << " bit " << bit;
    }
    memory()[block] = word;
    const std::uint64_t mark = load_word(memory()[block + 1]);
    memory()[block + 1] = mark == 0 ? 1 : 0;  // used becomes free, free becomes used
    EXPECT_FALSE(arena.consistent()) << block;
    memory()[block + 1] = mark;
  }
  EXPECT_TRUE(arena.consistent());
}

}  // namespace
}  // namespace sotto
