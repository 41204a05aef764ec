#include "dns/record_walk.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "dns/answer.h"
#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::address;
using test::join;
using test::naive_message;
using test::naive_name;
using test::octets;
using test::Octets;
using test::record;
using test::wire;

constexpr std::size_t no_header = 0;

TEST(RecordWalk, WithoutRecordsItIsAtTheEndAtOnce) {
  const Octets message = join({test::header({}), test::question("a.example", rtype::a)});
  EXPECT_TRUE(RecordWalk(message, message.size()).at_end());
}

struct PlaceCase {
  const char* reason;
  Octets owner;
  Octets rdata;
};

TEST(RecordWalk, FindsThePartsOfOneRecord) {
  const PlaceCase cases[] = {
      {"a pointer", octets({0xC0, 0x0C}), octets({192, 0, 2, 1})},
      {"the farthest pointer", octets({0xFF, 0xFF}), octets({1})},
      {"the root", octets({0}), octets({1, 2})},
      {"labels", wire("www.example"), {}},
      {"labels that end in a pointer", octets({1, 'a', 2, 'b', 'c', 0xC0, 0x0C}), Octets(300, 9)},
      {"a label of zeros", octets({2, 0, 0, 0}), octets({0xC0, 0x0C})},
      {"the longest label", join({octets({63}), Octets(63, 'x'), octets({0})}), octets({7})},
      {"no RDATA", octets({0}), {}},
  };
  for (const PlaceCase& each : cases) {
    const Octets message = record(each.owner, rtype::txt, 0x0102'0304, each.rdata);
    RecordWalk walk(message, no_header);
    ASSERT_FALSE(walk.at_end()) << each.reason;
    const RecordPlace place = walk.next();
    EXPECT_EQ(place.owner, 0U) << each.reason;
    EXPECT_EQ(place.type, each.owner.size()) << each.reason;
    EXPECT_EQ(load16(message.data() + place.type), rtype::txt) << each.reason;
    EXPECT_EQ(load32(message.data() + place.ttl()), 0x0102'0304U) << each.reason;
    EXPECT_EQ(place.rdata, message.size() - each.rdata.size()) << each.reason;
    EXPECT_EQ(place.end, message.size()) << each.reason;
    EXPECT_TRUE(walk.at_end()) << each.reason;
  }
}

// Against the naive parser, on what rewrite_response() makes of random records.
TEST(RecordWalkProperty, MeetsEveryRecordOnceInItsOrder) {
  Random random(11);
  const char* const owners[] = {"www.example.com", "example.com", "mail.example.com", "."};
  const Question question(wire("www.example.com"), rtype::any, rclass::in, {});
  for (int round = 0; round < 2'000; ++round) {
    const auto count = static_cast<std::uint16_t>(random.below(20));
    Octets message = join({test::header({.flags = 0x8180, .answers = count}),
                           test::question("www.example.com", rtype::any)});
    const std::size_t first = message.size();
    for (int i = 0; i < count; ++i) {
      const auto ttl = static_cast<std::uint32_t>(random.below(1'000'000));
      const Octets owner = wire(owners[random.below(4)]);
      message = join({message, random.below(2) == 0
                                   ? record(owner, rtype::ns, ttl, wire(owners[random.below(4)]))
                                   : record(owner, rtype::txt, ttl, Octets(random.below(50), 1))});
    }
    Answer answer;
    ASSERT_TRUE(rewrite_response(message, question, answer));
    const auto naive = naive_message(answer.message);
    ASSERT_TRUE(naive);
    RecordWalk walk(answer.message, first);
    for (const auto& expected : naive->records) {
      ASSERT_FALSE(walk.at_end());
      const RecordPlace place = walk.next();
      EXPECT_EQ(naive_name(answer.message, place.owner)->end, place.type);
      EXPECT_EQ(load16(answer.message.data() + place.type), expected.type);
      EXPECT_EQ(load32(answer.message.data() + place.ttl()), expected.ttl);
    }
    EXPECT_TRUE(walk.at_end());
  }
}

}  // namespace
}  // namespace sotto
