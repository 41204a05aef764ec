#include "cache/shard.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "cache/address_space.h"
#include "cache_world.h"

namespace sotto {
namespace {

using test::ask;
using test::make_addresses;

constexpr std::uint64_t seed = 99;
constexpr Usefulness useful{.now = Tick{1} << 30U, .stale_max_age = 0};

std::uint64_t hash_of(const Question& question) {
  return keyed_hash(question.key(), seed);
}

class ShardTest : public testing::Test {
 protected:
  void store(const Question& question, const Answer& stored) {
    PackedEntry packed(question, stored);
    packed.head.stored = useful.now;
    Shard::Writer writer(shard);
    writer.store(hash_of(question), packed, writer.find(question, hash_of(question)), useful);
  }
  void store(const Question& question) { store(question, make_addresses(question, 100)); }
  bool find(const Question& question) {
    EntryHead head;
    return shard.find(question, hash_of(question), head, answer);
  }
  bool remove(const Question& question) {
    Shard::Writer writer(shard);
    const Handle entry = writer.find(question, hash_of(question));
    if (entry != 0) writer.remove(entry);
    return entry != 0;
  }
  // Of the shard's memory.
  std::size_t resident_pages() {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages(shard_octets / page);
    EXPECT_EQ(::mincore(memory_.at(0), shard_octets, pages.data()), 0);
    return static_cast<std::size_t>(
        std::count_if(pages.begin(), pages.end(), [](unsigned char bits) { return bits & 1U; }));
  }

 private:
  AddressSpace memory_{shard_octets};

 protected:
  Shard shard{memory_.at(0), seed};
  Answer answer;
};

TEST_F(ShardTest, TakesMemoryAsItFillsAndGivesItBack) {
  EXPECT_FALSE(find(ask("a.example")));
  EXPECT_TRUE(shard.consistent());
  EXPECT_EQ(resident_pages(), 0U);
  EXPECT_EQ(shard.totals().octets, sizeof(Shard));
  store(ask("a.example"));
  EXPECT_LE(resident_pages(), 3U);  // the marks, the index, the entry
  std::uint64_t before = shard.totals().octets;
  for (int i = 0; i < 500; ++i) {
    store(ask(std::to_string(i) + ".example"));
    ASSERT_GT(shard.totals().octets, before);
    before = shard.totals().octets;
  }
  EXPECT_LE(resident_pages(), 3U + before / 4'096);
  EXPECT_EQ(Shard::Writer(shard).clear(), 501U);
  EXPECT_EQ(resident_pages(), 0U);
  EXPECT_EQ(shard.totals().octets, sizeof(Shard));
  EXPECT_FALSE(find(ask("a.example")));
  store(ask("a.example"));
  EXPECT_TRUE(find(ask("a.example")));
}

TEST_F(ShardTest, GrowsItsIndexToTheEnd) {
  std::vector<Question> asked;
  while (shard.totals().evicted == 0) {
    asked.push_back(ask(std::to_string(asked.size()) + "."));
    store(asked.back());
    if (asked.size() % 500 == 0) {
      for (const Question& question : asked) ASSERT_TRUE(find(question));
    }
    ASSERT_LE(shard.totals().octets, shard_octets);
  }
  EXPECT_TRUE(shard.consistent());
  EXPECT_GT(asked.size(), 5'500U) << "of the smallest entries this many fit";
  for (int i = 0; i < 20'000; ++i) store(ask(std::to_string(i) + ".", rtype::aaaa));
  EXPECT_TRUE(shard.consistent());
  EXPECT_LE(shard.totals().octets, shard_octets);
}

// All want the same two slots at the end of the index, so that their run goes round its end.
TEST_F(ShardTest, RunsOfTheIndexStayWhole) {
  std::vector<Question> asked;
  for (int i = 0; asked.size() < 45; ++i) {
    Question question = ask(std::to_string(i) + ".example");
    if ((hash_of(question) & 0xFFFF'FFFFU) >= 0xF800'0000U) asked.push_back(question);
  }
  Random random(5);
  std::vector<bool> there(asked.size());
  for (int step = 0; step < 4'000; ++step) {
    const std::size_t i = random.below(asked.size());
    if (there[i]) {
      ASSERT_TRUE(remove(asked[i]));
    } else {
      store(asked[i]);
    }
    there[i] = !there[i];
    ASSERT_TRUE(shard.consistent()) << step;
    for (std::size_t other = 0; other < asked.size(); ++other) {
      ASSERT_EQ(find(asked[other]), there[other]) << step;
    }
  }
}

// A question asked for may be longer than all of another's entry, right at the end of the memory.
TEST_F(ShardTest, ALongQuestionDoesNotReachBehindTheEnd) {
  std::vector<Question> asked;
  while (shard.totals().evicted == 0) {
    asked.push_back(ask(std::to_string(10'000 + asked.size()) + ".of-thirty-octets.example"));
    store(asked.back());
  }
  const std::string label(63, 'x');
  const Question longest =
      ask(label + "." + label + "." + label + "." + std::string(61, 'x') + ".");
  for (const Question& question : asked) {
    EntryHead head;
    EXPECT_FALSE(shard.find(longest, hash_of(question), head, answer)) << "their hashes collide";
  }
  EXPECT_TRUE(find(asked.back()));
}

TEST_F(ShardTest, RemovesOnlySoManyAtOnce) {
  constexpr std::size_t most = Shard::Writer::removals_max;
  for (std::size_t i = 0; i < 2 * most + 10; ++i) store(ask(std::to_string(i) + ".example"));
  store(ask("stays.example"));
  const auto is_it = [](std::span<const std::uint8_t> name) { return name[0] != 5; };
  std::uint32_t from = 0;
  std::size_t removed = 0;
  EXPECT_FALSE(Shard::Writer(shard).remove_some(is_it, from, removed));
  EXPECT_EQ(removed, most);
  EXPECT_FALSE(Shard::Writer(shard).remove_some(is_it, from, removed));
  EXPECT_EQ(removed, 2 * most);
  EXPECT_TRUE(Shard::Writer(shard).remove_some(is_it, from, removed));
  EXPECT_EQ(removed, 2 * most + 10);
  EXPECT_TRUE(find(ask("stays.example")));
  EXPECT_TRUE(shard.consistent());
}

TEST_F(ShardTest, LooksAtOnlySoManyAtOnce) {
  constexpr std::size_t most = Shard::Writer::looks_max;
  for (std::size_t i = 0; i < most; ++i) store(ask(std::to_string(i) + ".example"));
  store(ask("goes.example"));
  const auto is_it = [](std::span<const std::uint8_t> name) { return name[1] == 'g'; };
  std::uint32_t from = 0;
  std::size_t removed = 0;
  EXPECT_FALSE(Shard::Writer(shard).remove_some(is_it, from, removed));
  EXPECT_EQ(removed, 0U);
  EXPECT_TRUE(Shard::Writer(shard).remove_some(is_it, from, removed));
  EXPECT_EQ(removed, 1U);
  EXPECT_FALSE(find(ask("goes.example")));
}

TEST_F(ShardTest, ACopyStaysAsItIs) {
  for (int i = 0; i < 100; ++i) store(ask(std::to_string(i) + ".example"));
  for (int i = 0; i < 100; i += 3) remove(ask(std::to_string(i) + ".example"));
  const Shard::Copy copy = shard.copy();
  Shard::Writer(shard).clear();
  for (int i = 0; i < 50; ++i) store(ask("something.else" + std::to_string(i)));
  ASSERT_EQ(copy.blocks.size(), 66U);
  std::vector<int> seen;
  for (const std::uint32_t at : copy.blocks) {
    const Question question = entry_question(&copy.memory[at]);
    const auto name = question.name();
    seen.push_back(std::stoi(std::string(name.begin() + 1, name.begin() + 1 + name[0])));
    EXPECT_EQ(question, ask(std::to_string(seen.back()) + ".example"));
    EntryHead head;
    read_entry_answer(&copy.memory[at], head, answer);
    EXPECT_TRUE(test::same(answer, make_addresses(question, 100)));
    EXPECT_NE(seen.back() % 3, 0);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

}  // namespace
}  // namespace sotto
