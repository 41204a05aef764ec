// RRset ends and equal TTLs, as rewrite_response() finds them.
#include <gtest/gtest.h>

#include "dns/answer.h"
#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::address;
using test::join;
using test::octets;
using test::Octets;
using test::record;
using test::to_qname;
using test::wire;

const Question asked(wire("www.example.com"), rtype::a, rclass::in, {.dnssec_ok = true});

Answer rewritten(std::uint16_t answers, std::uint16_t authorities, std::uint16_t additionals,
                 const Octets& records) {
  Answer answer;
  const Octets message = join({test::header({.flags = 0x8180,
                                             .answers = answers,
                                             .authorities = authorities,
                                             .additionals = additionals}),
                               test::question("www.example.com", rtype::a), records});
  EXPECT_TRUE(rewrite_response(message, asked, answer));
  return answer;
}

std::vector<unsigned long> ttls(const Answer& answer) {
  std::vector<unsigned long> result;
  const auto parsed = test::naive_message(answer.message);
  for (const auto& each : parsed.value().records) {
    result.push_back(each.ttl);
  }
  return result;
}

using Ttls = std::vector<unsigned long>;

// By section: how many records stand before each end.
std::vector<std::array<unsigned, 3>> ends(const Answer& answer) {
  std::vector<std::array<unsigned, 3>> result;
  std::uint32_t before = 12;
  for (const RrsetEnd& end : answer.rrset_ends) {
    EXPECT_GT(end.offset, before);
    before = end.offset;
    result.push_back({end.answers, end.authorities, end.additionals});
  }
  EXPECT_TRUE(result.empty() || before == answer.message.size());
  return result;
}

using Ends = std::vector<std::array<unsigned, 3>>;

Octets text(const Octets& owner, std::uint32_t ttl) {
  return record(owner, rtype::txt, ttl, octets({1, 'x'}));
}

TEST(Rrset, EndsWhereOwnerTypeClassOrSectionChange) {
  const Octets other = wire("example.net");
  const Answer answer = rewritten(
      4, 2, 2,
      join({address(1), address(2), text(to_qname, 1), record(to_qname, rtype::txt, 1, {}, 3),
            record(other, 1, 1, Octets(4, 1)), record(wire("EXAMPLE.net"), 1, 1, Octets(4, 2)),
            record(other, 1, 1, Octets(4, 3)), record(wire("example.org"), 1, 1, Octets(4, 4))}));
  EXPECT_EQ(ends(answer), (Ends{{2, 0, 0}, {3, 0, 0}, {4, 0, 0}, {4, 2, 0}, {4, 2, 1}, {4, 2, 2}}));
}

TEST(Rrset, TtlsBecomeTheLowest) {
  const Answer answer = rewritten(
      4, 0, 0, join({address(1, 300), address(2, 20), address(3, 100), text(to_qname, 50)}));
  EXPECT_EQ(ttls(answer), (Ttls{20, 20, 20, 50}));
  EXPECT_EQ(answer.ttl_min, 20U);
}

TEST(Rrset, TtlsOfOthersStay) {
  const Answer answer = rewritten(
      3, 1, 0, join({text(to_qname, 9), address(1, 300), address(2, 300), address(3, 7)}));
  EXPECT_EQ(ttls(answer), (Ttls{9, 300, 300, 7}));
  EXPECT_EQ(answer.ttl_min, 7U);
}

TEST(Rrset, ATopBitMakesALargeTtl) {
  EXPECT_EQ(ttls(rewritten(1, 0, 0, address(1, 0x8000'0000))), Ttls{0x7FFF'FFFF});
  EXPECT_EQ(ttls(rewritten(1, 0, 0, address(1, 0xFFFF'FFFF))), Ttls{0x7FFF'FFFF});
  EXPECT_EQ(ttls(rewritten(2, 0, 0, join({address(1, 0xFFFF'FFFF), address(2, 5)}))), (Ttls{5, 5}));
}

TEST(Rrset, ZeroIsATtl) {
  const Answer answer = rewritten(2, 0, 0, join({address(1, 0), address(2, 5)}));
  EXPECT_EQ(ttls(answer), (Ttls{0, 0}));
  EXPECT_EQ(answer.ttl_min, 0U);
}

TEST(Rrset, SignaturesGoByTheTypeTheyCover) {
  const auto rrsig = [](unsigned covered, std::uint32_t ttl) {
    return record(to_qname, rtype::rrsig, ttl, join({octets({0, covered}), Octets(20, 1)}));
  };
  const Answer answer =
      rewritten(4, 0, 0, join({rrsig(1, 300), rrsig(1, 200), rrsig(28, 100), rrsig(16, 50)}));
  EXPECT_EQ(ends(answer), (Ends{{2, 0, 0}, {3, 0, 0}, {4, 0, 0}}));
  EXPECT_EQ(ttls(answer), (Ttls{200, 200, 100, 50}));
}

TEST(Rrset, ScatteredOnesAreOneUnit) {
  // A, TXT, A: cut behind the first A would be inside an RRset.
  const Answer answer = rewritten(5, 0, 0,
                                  join({record(wire("a.b"), 1, 80, Octets(4, 1)), address(1, 300),
                                        text(to_qname, 90), address(2, 200), text(to_qname, 95)}));
  EXPECT_EQ(ends(answer), (Ends{{1, 0, 0}, {5, 0, 0}}));
  EXPECT_EQ(ttls(answer), (Ttls{80, 90, 90, 90, 90}));
}

TEST(Rrset, ScatteredOnesSwallowWhatStandsBetween) {
  const Octets a = wire("a.example.net");
  const Octets b = wire("b.example.net");
  const Answer answer = rewritten(0, 0, 5,
                                  join({text(a, 10), text(b, 20), text(to_qname, 30),
                                        text(wire("A.example.net"), 40), text(b, 50)}));
  EXPECT_EQ(ends(answer), (Ends{{0, 0, 5}}));
  EXPECT_EQ(ttls(answer), (Ttls{10, 10, 10, 10, 10}));
}

TEST(Rrset, SectionsAreNotJoined) {
  const Answer answer = rewritten(1, 1, 1, join({address(1, 30), address(1, 20), address(1, 10)}));
  EXPECT_EQ(ends(answer), (Ends{{1, 0, 0}, {1, 1, 0}, {1, 1, 1}}));
  EXPECT_EQ(ttls(answer), (Ttls{30, 20, 10}));
  const Answer scattered =
      rewritten(1, 2, 0, join({address(1, 30), text(to_qname, 20), address(1, 10)}));
  EXPECT_EQ(ends(scattered), (Ends{{1, 0, 0}, {1, 1, 0}, {1, 2, 0}}));
  EXPECT_EQ(ttls(scattered), (Ttls{30, 20, 10}));
}

// Prepared so that every record starts another RRset and every second one calls for a join, which
// walks over all records before it.
TEST(Rrset, PreparedMessagesAreJoinedABoundedNumberOfTimes) {
  Octets records;
  const std::uint16_t count = 5'000;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned type = i % 2 == 0 ? 1'000U : 2'000U + i;
    const Octets one = record(to_qname, static_cast<std::uint16_t>(type), 1'000 - i % 999, {});
    records.insert(records.end(), one.begin(), one.end());
  }
  const Answer answer = rewritten(count, 0, 0, records);
  EXPECT_EQ(answer.rrset_ends.back().answers, count);
  // The joined ones are one unit, all others stand for themselves.
  EXPECT_GT(answer.rrset_ends.size(), count - 100U);
  EXPECT_GT(answer.rrset_ends.front().answers, 20U);
  EXPECT_LT(answer.rrset_ends.front().answers, 100U);
}

}  // namespace
}  // namespace sotto
