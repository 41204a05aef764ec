#include "upstream/selection.h"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>

#include "dns/name.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;

Question question_of(std::string_view name) {
  return Question(name_from_text(name)->octets(), rtype::a, rclass::in, {});
}

struct SelectionTest : testing::Test {
  Random random{1};
  Question question = question_of("www.example.com.");

  static Candidate one(std::uint32_t place, Duration expected = milliseconds{20},
                       std::size_t in_flight = 0) {
    return {.place = place,
            .name_hash = place * 7'919U + 1,
            .avoided = false,
            .expected = expected,
            .in_flight = in_flight};
  }
  std::vector<std::uint32_t> ranked(Selection selection, std::vector<Candidate> candidates) {
    rank(selection, question, random, candidates);
    std::vector<std::uint32_t> places;
    for (const Candidate& candidate : candidates) places.push_back(candidate.place);
    return places;
  }
  // How often each came first.
  std::map<std::uint32_t, int> firsts(Selection selection, const std::vector<Candidate>& all) {
    std::map<std::uint32_t, int> count;
    for (int round = 0; round < 3'000; ++round) ++count[ranked(selection, all).front()];
    return count;
  }
};

TEST_F(SelectionTest, OrderIsAsConfiguredAndThoseThatFailComeLastInOrder) {
  std::vector<Candidate> all{one(0), one(1), one(2), one(3)};
  EXPECT_EQ(ranked(Selection::order, all), (std::vector<std::uint32_t>{0, 1, 2, 3}));
  all[0].avoided = all[2].avoided = true;
  EXPECT_EQ(ranked(Selection::order, all), (std::vector<std::uint32_t>{1, 3, 0, 2}));
}

TEST_F(SelectionTest, EveryoneIsRankedWhateverTheSelection) {
  std::vector<Candidate> all{one(0), one(1), one(2), one(3), one(4)};
  all[3].avoided = true;
  for (const Selection selection :
       {Selection::fastest, Selection::order, Selection::random, Selection::hash, Selection::all}) {
    for (int round = 0; round < 100; ++round) {
      const auto places = ranked(selection, all);
      EXPECT_EQ(std::set<std::uint32_t>(places.begin(), places.end()).size(), 5U);
      EXPECT_EQ(places.back(), 3U) << "one that fails is last";
    }
  }
}

TEST_F(SelectionTest, TheSlowerOfTwoIsNotTaken) {
  const auto count = firsts(Selection::fastest, {one(0, milliseconds{600}), one(1)});
  EXPECT_EQ(count, (std::map<std::uint32_t, int>{{1, 3'000}}));
}

TEST_F(SelectionTest, TheSlowestOfThreeIsNeverFirst) {
  const auto count =
      firsts(Selection::fastest, {one(0, milliseconds{200}), one(1), one(2, milliseconds{60})});
  EXPECT_FALSE(count.contains(0));
  EXPECT_NEAR(count.at(1), 2'000, 150) << "it is among two of three in two thirds of all cases";
}

TEST_F(SelectionTest, AmongEquallyFastOnesLoadSpreads) {
  for (const auto& [place, times] :
       firsts(Selection::fastest, {one(0), one(1, milliseconds{25}), one(2, milliseconds{22})})) {
    EXPECT_NEAR(times, 1'000, 150) << place;
  }
  const auto busy = firsts(Selection::fastest, {one(0, milliseconds{20}, 10), one(1)});
  EXPECT_EQ(busy.at(1), 3'000) << "the one with less to do";
}

TEST_F(SelectionTest, AnUnknownOneIsTriedBecauseNothingIsInFlightThere) {
  const auto count = firsts(Selection::fastest, {one(0, milliseconds{5}, 3), one(1, Duration{0})});
  EXPECT_EQ(count.at(1), 3'000);
}

TEST_F(SelectionTest, RandomIsEven) {
  for (const auto& [place, times] :
       firsts(Selection::random, {one(0), one(1, milliseconds{900}), one(2)})) {
    EXPECT_NEAR(times, 1'000, 150) << place;
  }
}

TEST_F(SelectionTest, HashGivesAllNamesOfOneDomainToOneUpstream) {
  const std::vector<Candidate> all{one(0), one(1), one(2)};
  question = question_of("www.example.co.uk.");
  const auto places = ranked(Selection::hash, all);
  for (const char* name : {"example.co.uk.", "a.b.c.example.co.uk.", "EXAMPLE.co.UK."}) {
    question = question_of(name);
    EXPECT_EQ(ranked(Selection::hash, all), places) << name;
  }
}

TEST_F(SelectionTest, HashMovesOnlyTheNamesOfTheOneThatGoes) {
  std::vector<Candidate> all{one(0), one(1), one(2)};
  std::map<std::uint32_t, int> share;
  for (int number = 0; number < 3'000; ++number) {
    question = question_of("domain" + std::to_string(number) + ".com.");
    all[1].avoided = false;
    const auto before = ranked(Selection::hash, all);
    ++share[before.front()];
    all[1].avoided = true;
    const auto after = ranked(Selection::hash, all);
    EXPECT_EQ(after.front(), before.front() == 1 ? before[1] : before[0]);
  }
  for (const auto& [place, names] : share) EXPECT_NEAR(names, 1'000, 150) << place;
}

}  // namespace
}  // namespace sotto
