#include "dns/question.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::join;
using test::octets;
using test::Octets;
using test::wire;

Question make(const char* name, std::uint16_t type = rtype::a, Question::Flags flags = {},
              std::uint16_t qclass = rclass::in) {
  return Question(wire(name), type, qclass, flags);
}

// Of names of every length, as eight and sixteen octets are folded at once; an octet at each place.
TEST(Question, FoldsAsciiLettersAndNothingElse) {
  for (std::size_t size = 3; size <= 65; ++size) {
    for (unsigned value = 0; value < 256; ++value) {
      Octets name(size, 'M');
      name.front() = static_cast<std::uint8_t>(size - 2);
      name.back() = 0;
      name[1 + value % (size - 2)] = static_cast<std::uint8_t>(value);
      Octets folded = name;
      for (std::uint8_t& octet : folded) {
        if (octet >= 'A' && octet <= 'Z') octet = static_cast<std::uint8_t>(octet - 'A' + 'a');
      }
      const Question question(name, rtype::a, rclass::in, {});
      ASSERT_EQ(Octets(question.name().begin(), question.name().end()), folded) << size;
    }
  }
}

TEST(Question, TellsApartWhatHasOtherAnswers) {
  const Question question = make("www.example.com");
  EXPECT_EQ(question, make("WWW.eXample.COM"));
  EXPECT_NE(question, make("www.example.net"));
  EXPECT_NE(question, make("ww.example.com"));
  EXPECT_NE(question, make("www.example.com", rtype::aaaa));
  EXPECT_NE(question, make("www.example.com", rtype::a, {}, 3));
  EXPECT_NE(question, make("www.example.com", rtype::a, {.recursion_desired = false}));
  EXPECT_NE(question, make("www.example.com", rtype::a, {.checking_disabled = true}));
  EXPECT_NE(question, make("www.example.com", rtype::a, {.dnssec_ok = true}));
}

TEST(Question, GivesBackWhatItWasMadeOf) {
  const Question::Flags flags = {
      .recursion_desired = false, .checking_disabled = true, .dnssec_ok = true};
  const Question question = make("WWW.Example", 0xABCD, flags, 0x1234);
  EXPECT_TRUE(std::ranges::equal(question.name(), wire("www.example")));
  EXPECT_EQ(question.type(), 0xABCD);
  EXPECT_EQ(question.qclass(), 0x1234);
  EXPECT_EQ(question.flags(), flags);
  EXPECT_EQ(question.key().size(), question.name().size() + 8);
}

TEST(Question, MatchesOnlyItsOwnQuestionSection) {
  const Question question = make("www.example.com");
  const Octets one = test::header({.flags = 0x8180});
  const Octets asked = test::question("www.example.com", rtype::a);
  Octets cut = join({one, asked});
  cut.pop_back();
  struct {
    const char* reason;
    Octets message;
    bool matches;
  } const cases[] = {
      {"the same", join({one, asked}), true},
      {"the same and more behind it", join({one, asked, octets({1, 2, 3})}), true},
      {"another spelling", join({one, test::question("wWw.EXAMPLE.com", rtype::a)}), true},
      {"another name", join({one, test::question("wwx.example.com", rtype::a)}), false},
      {"a longer name", join({one, test::question("www.example.com.net", rtype::a)}), false},
      {"another type", join({one, test::question("www.example.com", rtype::aaaa)}), false},
      {"another class", join({one, test::question("www.example.com", rtype::a, 3)}), false},
      {"a header only", one, false},
      {"no question counted", join({test::header({.questions = 0}), asked}), false},
      {"two questions counted", join({test::header({.questions = 2}), asked, asked}), false},
      {"cut short", cut, false},
      {"less than a header", octets({0, 0, 0, 0, 0, 1}), false},
      {"nothing", {}, false},
  };
  for (const auto& test : cases)
    EXPECT_EQ(question.matches(test.message), test.matches) << test.reason;
}

Octets written(const Question& question, const QueryShape& shape) {
  Octets buffer(upstream_query_octets_max, 0xEE);
  buffer.resize(write_upstream_query(question, 0xBEEF, shape, buffer));
  return buffer;
}

TEST(Question, AsksUpstreamInItsOwnWords) {
  const Octets message = written(make("WWW.example.com", rtype::mx), {});
  const auto parsed = test::naive_message(message);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->end, message.size());
  EXPECT_EQ(parsed->id, 0xBEEFU);
  EXPECT_EQ(parsed->flags, 0x0120U);  // RD, AD
  EXPECT_EQ(parsed->qname, (test::Labels{"www", "example", "com"}));
  EXPECT_EQ(parsed->qtype, rtype::mx);
  EXPECT_EQ(parsed->qclass, 1U);
  ASSERT_EQ(parsed->records.size(), 1U);
  EXPECT_EQ(parsed->records[0].type, rtype::opt);
  EXPECT_EQ(parsed->records[0].rclass, 1'232U);
  EXPECT_EQ(parsed->records[0].ttl, 0U);
  EXPECT_EQ(test::naive_option(*parsed, edns_option::keepalive), "");
  EXPECT_EQ(message.size(), 128U);
}

TEST(Question, PassesFlagsOn) {
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Question::Flags flags = {.recursion_desired = (bits & 1U) != 0,
                                   .checking_disabled = (bits & 2U) != 0,
                                   .dnssec_ok = (bits & 4U) != 0};
    const auto parsed = test::naive_message(written(make("a", 1, flags), {}));
    ASSERT_TRUE(parsed);
    EXPECT_EQ((parsed->flags & flag::recursion_desired) != 0, flags.recursion_desired);
    EXPECT_EQ((parsed->flags & flag::checking_disabled) != 0, flags.checking_disabled);
    EXPECT_EQ(parsed->records.at(0).ttl == edns_do, flags.dnssec_ok);
    EXPECT_NE(parsed->flags & flag::authentic_data, 0U);
  }
}

TEST(Question, PadsEveryNameToABlockWithPaddingLast) {
  for (std::size_t octets = 1; octets < 254; ++octets) {
    Octets name;  // of about octets octets
    while (name.size() + 2 <= octets) {
      const std::size_t label = std::min<std::size_t>(63, octets - name.size() - 1);
      name.push_back(static_cast<std::uint8_t>(label));
      name.insert(name.end(), label, 'x');
    }
    name.push_back(0);
    const Octets message = written(Question(name, 1, 1, {}), {});
    EXPECT_EQ(message.size() % query_padding_block, 0U);
    const auto parsed = test::naive_message(message);
    ASSERT_TRUE(parsed);
    const auto padding = test::naive_option(*parsed, edns_option::padding);
    ASSERT_TRUE(padding);
    EXPECT_EQ(padding->find_first_not_of('\0'), std::string::npos);
    EXPECT_EQ(padding->size() + 4 + (name.size() + 12 + 4 + 11) + 4, message.size());
  }
}

TEST(Question, LeavesOutWhatTheServerCannotTake) {
  const auto plain = test::naive_message(written(make("a.b"), {.edns = false}));
  ASSERT_TRUE(plain);
  EXPECT_TRUE(plain->records.empty());
  EXPECT_EQ(plain->flags, 0x0120U);
  const auto bare =
      test::naive_message(written(make("a.b"), {.padding_block = 0, .keepalive = false}));
  ASSERT_TRUE(bare);
  ASSERT_EQ(bare->records.size(), 1U);
  EXPECT_EQ(bare->records[0].rdata, "");
}

TEST(Question, NeverPadsBeyondTheBuffer) {
  EXPECT_EQ(written(make("a.b"), {.padding_block = 60'000}).size(), upstream_query_octets_max);
}

}  // namespace
}  // namespace sotto
