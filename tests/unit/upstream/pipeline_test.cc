#include "upstream/pipeline.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "scripted_link.h"

namespace sotto {
namespace {

const Instant start{std::chrono::seconds{1'000}};

Question question_of(std::string_view name) {
  return {name_from_text(name)->octets(), rtype::a, rclass::in, {}};
}

class PipelineTest : public testing::Test {
 protected:
  SeenQuery add(std::uint32_t exchange, std::string_view name = "www.example.") {
    output_.clear();
    slot_ = pipeline_.add({exchange, 1}, question_of(name), {}, start, random_, output_);
    return {{output_.begin() + 2, output_.end()}};
  }

  Random random_{1};
  Pipeline pipeline_;
  std::vector<std::uint8_t> output_;
  PipelineSlotId slot_;
};

TEST_F(PipelineTest, FramesAndPadsTheQuery) {
  const SeenQuery query = add(7);
  EXPECT_EQ(load16(output_.data()), output_.size() - 2);
  EXPECT_EQ(query.message.size() % query_padding_block, 0U);
  EXPECT_EQ(query.name(), "www.example.");
}

TEST_F(PipelineTest, MatchesAnAnswerOnceAndFreesItsId) {
  const SeenQuery query = add(7);
  const auto match = pipeline_.receive(query.answer());
  EXPECT_EQ(match.verdict, Pipeline::Verdict::matched);
  EXPECT_EQ(match.exchange, (ExchangeId{7, 1}));
  EXPECT_EQ(match.sent, start);
  EXPECT_EQ(pipeline_.receive(query.answer()).verdict, Pipeline::Verdict::unasked) << "duplicate";
  EXPECT_EQ(pipeline_.outstanding(), 0U);
}

TEST_F(PipelineTest, TakesOnlyTheAnswerToItsQuestion) {
  struct Case {
    const char* reason;
    std::vector<std::uint8_t> (*make)(const SeenQuery&);
    Pipeline::Verdict verdict;
  };
  const Case cases[] = {
      {"our question under another ID: whoever answers mixes up IDs",
       [](const SeenQuery& query) {
         auto message = query.answer();
         message[0] ^= 0x80U;
         return message;
       },
       Pipeline::Verdict::mismatched},
      {"another spelling of the name",
       [](const SeenQuery& query) {
         auto message = query.answer();
         message[13] = 'W';
         return message;
       },
       Pipeline::Verdict::matched},
      {"another name",
       [](const SeenQuery& query) {
         auto message = query.answer();
         message[13] = 'x';
         return message;
       },
       Pipeline::Verdict::mismatched},
      {"another type",
       [](const SeenQuery& query) {
         auto message = query.answer();
         message[12 + query.name_octets() + 1] = 28;
         return message;
       },
       Pipeline::Verdict::mismatched},
      {"the query itself comes back", [](const SeenQuery& query) { return query.message; },
       Pipeline::Verdict::mismatched},
      {"a header without the question",
       [](const SeenQuery& query) {
         auto message = query.answer();
         message.resize(12);
         return message;
       },
       Pipeline::Verdict::mismatched},
      {"less than a header",
       [](const SeenQuery& query) {
         auto message = query.answer();
         message.resize(11);
         return message;
       },
       Pipeline::Verdict::mismatched},
      {"a single octet", [](const SeenQuery&) { return std::vector<std::uint8_t>{1}; },
       Pipeline::Verdict::unasked},
  };
  for (const Case& one : cases) {
    Pipeline pipeline;
    std::vector<std::uint8_t> output;
    pipeline.add({7, 1}, question_of("www.example."), {}, start, random_, output);
    const SeenQuery query{{output.begin() + 2, output.end()}};
    EXPECT_EQ(pipeline.receive(one.make(query)).verdict, one.verdict) << one.reason;
  }
}

TEST_F(PipelineTest, AFailureWithoutAQuestionBelongsToItsId) {
  const struct {
    const char* reason;
    std::uint16_t rcode;
    std::size_t octets;
    Pipeline::Verdict verdict;
  } cases[] = {
      {"as servers without EDNS send", rcode::formerr, 12, Pipeline::Verdict::refusal},
      {"as unbound sends to whom it refuses", rcode::refused, 12, Pipeline::Verdict::refusal},
      {"octets that no count tells of", rcode::refused, 13, Pipeline::Verdict::mismatched},
      {"not even a header", rcode::refused, 11, Pipeline::Verdict::mismatched},
      {"no failure", rcode::noerror, 12, Pipeline::Verdict::mismatched},
      {"data, if any", rcode::nxdomain, 12, Pipeline::Verdict::mismatched},
  };
  for (const auto& one : cases) {
    Pipeline pipeline;
    std::vector<std::uint8_t> output;
    pipeline.add({7, 1}, question_of("www.example."), {}, start, random_, output);
    auto message = SeenQuery{{output.begin() + 2, output.end()}}.response(one.rcode);
    message.resize(one.octets);
    store16(message.data() + 4, 0);
    EXPECT_EQ(pipeline.receive(message).verdict, one.verdict) << one.reason;
  }
}

TEST_F(PipelineTest, AfterAMismatchTheRightAnswerMayStillCome) {
  const SeenQuery query = add(7);
  auto wrong = query.answer();
  wrong[13] = 'x';
  EXPECT_EQ(pipeline_.receive(wrong).verdict, Pipeline::Verdict::mismatched);
  EXPECT_EQ(pipeline_.receive(wrong).slot, slot_);
  EXPECT_EQ(pipeline_.outstanding(), 1U);
  EXPECT_EQ(pipeline_.receive(query.answer()).verdict, Pipeline::Verdict::matched);
}

TEST_F(PipelineTest, AWrongAnswerToAnAbandonedQueryIsNobodys) {
  const SeenQuery query = add(7);
  pipeline_.abandon(slot_);
  auto wrong = query.answer();
  wrong[13] = 'x';
  EXPECT_EQ(pipeline_.receive(wrong).verdict, Pipeline::Verdict::unasked);
  EXPECT_EQ(pipeline_.receive(query.answer()).verdict, Pipeline::Verdict::late);
  EXPECT_EQ(pipeline_.abandoned(), 0U);
}

TEST_F(PipelineTest, AnAbandonedIdIsNotUsedAgainUntilAnswered) {
  std::set<std::uint16_t> quarantined;
  for (std::uint32_t exchange = 0; exchange < 200; ++exchange) {
    quarantined.insert(add(exchange).id());
    pipeline_.abandon(slot_);
  }
  EXPECT_EQ(pipeline_.abandoned(), 200U);
  for (int query = 0; query < 100'000; ++query) {
    const SeenQuery seen = add(1'000);
    ASSERT_FALSE(quarantined.contains(seen.id()));
    ASSERT_EQ(pipeline_.receive(seen.answer()).verdict, Pipeline::Verdict::matched);
  }
}

TEST_F(PipelineTest, ListsWhoWaitsInTheOrderOfAsking) {
  std::vector<PipelineSlotId> slots;
  for (std::uint32_t exchange = 0; exchange < 50; ++exchange) {
    add(exchange);
    slots.push_back(slot_);
  }
  pipeline_.abandon(slots[3]);
  pipeline_.abandon(slots[3]);
  const auto waiting = pipeline_.waiting();
  ASSERT_EQ(waiting.size(), 49U);
  EXPECT_TRUE(std::is_sorted(waiting.begin(), waiting.end(), [](ExchangeId left, ExchangeId right) {
    return left.slot < right.slot;
  }));
  EXPECT_EQ(std::count(waiting.begin(), waiting.end(), ExchangeId{3, 1}), 0);
}

TEST_F(PipelineTest, IdsAreSpreadOverTheWholeSpace) {
  std::map<int, int> by_top_bits;
  for (std::uint32_t query = 0; query < 16'000; ++query) {
    const SeenQuery seen = add(query);
    ++by_top_bits[seen.id() >> 12];
    pipeline_.receive(seen.answer());
  }
  ASSERT_EQ(by_top_bits.size(), 16U);
  // Binomial with mean 1,000 and deviation 31: seven deviations never happen.
  for (const auto& [bits, count] : by_top_bits) EXPECT_NEAR(count, 1'000, 217) << bits;
}

// Of a server that answers in order, what came illegible was for the next one in it.
TEST_F(PipelineTest, TheNextInOrderIsTakenForGarbledOnceALaterOneIsAnswered) {
  const std::vector<std::uint8_t> garbage(40, 0x55);
  const SeenQuery first = add(1, "a.");
  add(2, "b.");
  const PipelineSlotId second_slot = slot_;
  add(3, "c.");
  const PipelineSlotId third_slot = slot_;
  const SeenQuery fourth = add(4, "d.");
  pipeline_.receive(first.answer());
  EXPECT_EQ(pipeline_.receive(garbage).verdict, Pipeline::Verdict::unasked);
  EXPECT_EQ(pipeline_.receive(garbage).verdict, Pipeline::Verdict::unasked);
  EXPECT_TRUE(pipeline_.take_garbled().empty()) << "it may be out of order";
  pipeline_.receive(fourth.answer());
  EXPECT_EQ(pipeline_.take_garbled(),
            (std::vector<Pipeline::Garbled>{{{2, 1}, second_slot}, {{3, 1}, third_slot}}));
  EXPECT_TRUE(pipeline_.take_garbled().empty()) << "each once";
}

TEST_F(PipelineTest, WhatIsAnsweredAfterAllOrGivenUpIsNotGarbled) {
  const std::vector<std::uint8_t> garbage(5, 0x55);
  const SeenQuery first = add(1, "a.");
  add(2, "b.");
  const PipelineSlotId given_up = slot_;
  const SeenQuery third = add(3, "c.");
  pipeline_.receive(garbage);
  pipeline_.receive(garbage);
  pipeline_.receive(first.answer());
  pipeline_.abandon(given_up);
  pipeline_.receive(third.answer());
  EXPECT_TRUE(pipeline_.take_garbled().empty());
}

TEST_F(PipelineTest, OnlyWhatWasSentBeforeAnAnsweredOneIsGarbled) {
  const std::vector<std::uint8_t> garbage(12, 0x55);
  add(1, "a.");
  const PipelineSlotId first_slot = slot_;
  pipeline_.receive(garbage);
  pipeline_.receive(garbage);  // nobody is left whose it could be
  const SeenQuery second = add(2, "b.");
  pipeline_.receive(second.answer());
  EXPECT_EQ(pipeline_.take_garbled(), (std::vector<Pipeline::Garbled>{{{1, 1}, first_slot}}));
}

// The pipeline against a map from ID to query, under random operations.
TEST(PipelineModel, AgreesWithANaiveOne) {
  const auto seed =
      static_cast<std::uint64_t>(testing::UnitTest::GetInstance()->random_seed()) + 42;
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random{seed};
  Random ids{seed + 1};
  Pipeline pipeline;
  struct Known {
    SeenQuery query;
    PipelineSlotId slot;
    std::uint32_t exchange;
    bool abandoned;
  };
  std::map<std::uint16_t, Known> model;
  for (std::uint32_t step = 0; step < 50'000; ++step) {
    const std::uint64_t choice = random.below(10);
    if (choice < 5 && !pipeline.full()) {
      std::vector<std::uint8_t> output;
      const auto slot = pipeline.add({step, 1}, question_of("a.example."), {}, start, ids, output);
      const SeenQuery query{{output.begin() + 2, output.end()}};
      ASSERT_TRUE(model.emplace(query.id(), Known{query, slot, step, false}).second);
      continue;
    }
    if (model.empty()) continue;
    auto at = model.lower_bound(random.next16());
    if (at == model.end()) at = model.begin();
    if (choice < 7) {
      pipeline.abandon(at->second.slot);
      at->second.abandoned = true;
    } else {
      const auto match = pipeline.receive(at->second.query.answer());
      ASSERT_EQ(match.verdict,
                at->second.abandoned ? Pipeline::Verdict::late : Pipeline::Verdict::matched);
      ASSERT_EQ(match.exchange.slot, at->second.exchange);
      model.erase(at);
    }
    const auto abandoned = static_cast<std::size_t>(std::count_if(
        model.begin(), model.end(), [](const auto& entry) { return entry.second.abandoned; }));
    ASSERT_EQ(pipeline.abandoned(), abandoned);
    ASSERT_EQ(pipeline.outstanding(), model.size() - abandoned);
  }
}

}  // namespace
}  // namespace sotto
