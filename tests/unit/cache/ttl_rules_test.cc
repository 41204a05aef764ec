#include "cache/ttl_rules.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

#include "base/random.h"
#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::address;
using test::join;
using test::naive_message;
using test::octets;
using test::Octets;
using test::record;
using test::to_qname;
using test::wire;

constexpr std::uint16_t dname = 39;
constexpr std::uint16_t nxdomain_flags = 0x8183;
constexpr std::uint16_t noerror_flags = 0x8180;

Octets octets32(std::uint32_t value) {
  return join({test::octets16(value >> 16U), test::octets16(value & 0xFFFFU)});
}

Octets soa(std::uint32_t ttl, std::uint32_t minimum, const Octets& owner = wire("example.com")) {
  // The numbers before MINIMUM are larger and smaller than any TTL here: none may be taken for it.
  const Octets numbers = join({octets32(1), octets32(2), octets32(3), octets32(0xFFFF'FFFF)});
  return record(
      owner, rtype::soa, ttl,
      join({wire("ns.example.com"), wire("admin.example.com"), numbers, octets32(minimum)}));
}

Octets cname(std::uint32_t ttl) {
  return record(to_qname, rtype::cname, ttl, wire("target.example.com"));
}

Octets target_address(std::uint32_t ttl) {
  return record(wire("target.example.com"), rtype::a, ttl, octets({192, 0, 2, 1}));
}

Octets ns(std::uint32_t ttl) {
  return record(wire("example.com"), rtype::ns, ttl, wire("ns.example.com"));
}

Octets signature(const Octets& owner, std::uint16_t covered, std::uint32_t ttl) {
  return record(owner, rtype::rrsig, ttl, join({test::octets16(covered), Octets(40, 7)}));
}

struct Sections {
  std::vector<Octets> answers = {};
  std::vector<Octets> authorities = {};
  std::vector<Octets> additionals = {};
};

Octets response(const Sections& sections, std::uint16_t flags, std::uint16_t qtype) {
  Octets message =
      join({test::header({.id = 0x1234,
                          .flags = flags,
                          .questions = 1,
                          .answers = static_cast<std::uint16_t>(sections.answers.size()),
                          .authorities = static_cast<std::uint16_t>(sections.authorities.size()),
                          .additionals = static_cast<std::uint16_t>(sections.additionals.size())}),
            test::question("www.example.com", qtype)});
  for (const auto* section : {&sections.answers, &sections.authorities, &sections.additionals}) {
    for (const Octets& each : *section) message.insert(message.end(), each.begin(), each.end());
  }
  return message;
}

Question asked(std::uint16_t qtype) {
  return {wire("www.example.com"), qtype, rclass::in, {.dnssec_ok = true}};
}

// As if it had come with OPT.
Answer rewritten(const Octets& message, const Question& question) {
  Answer answer;
  EXPECT_TRUE(rewrite_response(message, question, answer));
  answer.edns = true;
  return answer;
}

using Ttls = std::vector<unsigned long>;

Ttls ttls(const Answer& answer) {
  Ttls found;
  const auto message = naive_message(answer.message);
  EXPECT_TRUE(message);
  if (message) {
    for (const auto& each : message->records) found.push_back(each.ttl);
  }
  return found;
}

// --- without OPT ---------------------------------------------------------------------------------

// Signatures may be missing because the server was taken for one without EDNS.
TEST(TtlRules, AnAnswerWithoutOptToAQuestionWithDoIsKeptForHalfAMinute) {
  const Sections all = {
      .answers = {address(1)}, .authorities = {ns(7)}, .additionals = {target_address(3'600)}};
  const Sections none = {.authorities = {soa(900, 900)}};
  const auto given = [](const Sections& sections, std::uint16_t flags, bool edns, bool dnssec_ok) {
    const Question question(wire("www.example.com"), rtype::a, rclass::in,
                            {.dnssec_ok = dnssec_ok});
    Answer answer = rewritten(response(sections, flags, rtype::a), question);
    answer.edns = edns;
    EXPECT_TRUE(apply_ttl_rules(answer, question, {.ttl_min = 60}));
    return ttls(answer);
  };
  const Ttls usual = {300, 60, 3'600};
  EXPECT_EQ(given(all, noerror_flags, false, true), (Ttls{30, 30, 30}));
  EXPECT_EQ(given(none, nxdomain_flags, false, true), (Ttls{30}));
  EXPECT_EQ(given(all, noerror_flags, true, true), usual);
  EXPECT_EQ(given(all, noerror_flags, false, false), usual);
  EXPECT_EQ(given(none, nxdomain_flags, false, false), (Ttls{900}));
}

// --- what may be kept ----------------------------------------------------------------------------

struct KeepCase {
  const char* reason;
  std::uint16_t qtype;
  std::uint16_t flags;
  Sections sections;
  bool kept;
};

void expect_kept(const KeepCase& each) {
  Answer answer = rewritten(response(each.sections, each.flags, each.qtype), asked(each.qtype));
  EXPECT_EQ(apply_ttl_rules(answer, asked(each.qtype), {}), each.kept) << each.reason;
}

TEST(TtlRules, WhatHoldsDataOrASoaMayBeKept) {
  const std::uint16_t any = rtype::any;
  const KeepCase cases[] = {
      {"an address", rtype::a, noerror_flags, {.answers = {address(1)}}, true},
      {"at the end of a chain",
       rtype::a,
       noerror_flags,
       {.answers = {cname(9), target_address(9)}},
       true},
      {"an alias was asked for", rtype::cname, noerror_flags, {.answers = {cname(9)}}, true},
      {"any was asked for", any, noerror_flags, {.answers = {cname(9)}}, true},
      {"nothing for any, with SOA", any, noerror_flags, {.authorities = {soa(9, 9)}}, true},
      {"nothing for any", any, noerror_flags, {}, false},
      {"no data, with SOA", rtype::a, noerror_flags, {.authorities = {soa(9, 9)}}, true},
      {"no data, without", rtype::a, noerror_flags, {}, false},
      {"no data at the end of a chain, with SOA",
       rtype::a,
       noerror_flags,
       {.answers = {cname(9)}, .authorities = {soa(9, 9)}},
       true},
      {"a chain that ends nowhere", rtype::a, noerror_flags, {.answers = {cname(9)}}, false},
      {"a DNAME chain that ends nowhere",
       rtype::a,
       noerror_flags,
       {.answers = {record(wire("example.com"), dname, 9, wire("example.net")), cname(9)}},
       false},
      {"no such name, with SOA", rtype::a, nxdomain_flags, {.authorities = {soa(9, 9)}}, true},
      {"no such name, without", rtype::a, nxdomain_flags, {}, false},
      {"no such name at the end of a chain",
       rtype::a,
       nxdomain_flags,
       {.answers = {cname(9)}, .authorities = {soa(9, 9)}},
       true},
      {"no such name, and yet an address",
       rtype::a,
       nxdomain_flags,
       {.answers = {address(1)}},
       false},
      {"no such name, a SOA that is not an authority",
       rtype::a,
       nxdomain_flags,
       {.additionals = {soa(9, 9)}},
       false},
      {"the SOA was asked for",
       rtype::soa,
       noerror_flags,
       {.answers = {soa(9, 9, to_qname)}},
       true},
      {"a referral",
       rtype::a,
       noerror_flags,
       {.authorities = {ns(9)}, .additionals = {address(1)}},
       false},
      {"only the signature of an address",
       rtype::a,
       noerror_flags,
       {.answers = {signature(to_qname, rtype::a, 9)}},
       false},
  };
  for (const KeepCase& each : cases) expect_kept(each);
}

TEST(TtlRules, FailuresTruncationAndTtl0AreNotKept) {
  const KeepCase cases[] = {
      {"SERVFAIL", rtype::a, 0x8182, {.authorities = {soa(9, 9)}}, false},
      {"REFUSED", rtype::a, 0x8185, {.answers = {address(1)}}, false},
      {"YXDOMAIN", rtype::a, 0x8186, {.answers = {address(1)}}, false},
      {"truncated", rtype::a, 0x8380, {.answers = {address(1)}}, false},
      {"truncated, negative", rtype::a, 0x8383, {.authorities = {soa(9, 9)}}, false},
      {"TTL 0", rtype::a, noerror_flags, {.answers = {address(1, 0)}}, false},
      {"TTL 0 beside another",
       rtype::a,
       noerror_flags,
       {.answers = {cname(9), target_address(0)}},
       false},
      {"SOA TTL 0", rtype::a, nxdomain_flags, {.authorities = {soa(0, 9)}}, false},
      {"MINIMUM 0", rtype::a, nxdomain_flags, {.authorities = {soa(9, 0)}}, false},
      {"MINIMUM 0 says nothing of what is there",
       rtype::a,
       noerror_flags,
       {.answers = {address(1)}, .authorities = {soa(9, 0)}},
       true},
  };
  for (const KeepCase& each : cases) expect_kept(each);
}

TEST(TtlRules, AFailureInTheExtendedRcodeIsNoAnswer) {
  // BADVERS is 16: the low four bits alone read NOERROR.
  Octets message = response({.answers = {address(1)}, .additionals = {test::opt({}, 0x0100'0000)}},
                            noerror_flags, rtype::a);
  Answer answer = rewritten(message, asked(rtype::a));
  ASSERT_EQ(answer.rcode, rcode::badvers);
  EXPECT_FALSE(apply_ttl_rules(answer, asked(rtype::a), {}));
}

TEST(TtlRules, AnotherNamesAnswerIsNotKept) {
  expect_kept({"the name is not the asked one",
               rtype::a,
               noerror_flags,
               {.answers = {target_address(300), address(1, 300)}},
               false});
}

// --- for how long --------------------------------------------------------------------------------

struct TtlCase {
  const char* reason;
  TtlRules rules;
  std::uint16_t flags;
  Sections sections;
  Ttls expected;  // of all records, in their order
};

const TtlRules standard;

void expect_ttls(const TtlCase& each) {
  Answer answer = rewritten(response(each.sections, each.flags, rtype::a), asked(rtype::a));
  EXPECT_TRUE(apply_ttl_rules(answer, asked(rtype::a), each.rules)) << each.reason;
  EXPECT_EQ(ttls(answer), each.expected) << each.reason;
  EXPECT_EQ(answer.ttl_min, *std::ranges::min_element(each.expected)) << each.reason;
}

TEST(TtlRules, PositiveAnswers) {
  const TtlCase cases[] = {
      {"as it came", standard, noerror_flags, {.answers = {address(1, 300)}}, {300}},
      {"a second", standard, noerror_flags, {.answers = {address(1, 1)}}, {1}},
      {"at most a day", standard, noerror_flags, {.answers = {address(1, 86'401)}}, {86'400}},
      {"2^31-1", standard, noerror_flags, {.answers = {address(1, 0x7FFF'FFFF)}}, {86'400}},
      {"the top bit set", standard, noerror_flags, {.answers = {address(1, 1U << 31U)}}, {86'400}},
      {"all bits set", standard, noerror_flags, {.answers = {address(1, 0xFFFF'FFFF)}}, {86'400}},
      {"each record its own",
       standard,
       noerror_flags,
       {.answers = {cname(7), target_address(90'000)},
        .authorities = {ns(50)},
        .additionals = {record(wire("ns.example.com"), 1, 5, octets({1, 2, 3, 4}))}},
       {7, 86'400, 50, 5}},
      {"a SOA beside an answer is as it came",
       standard,
       noerror_flags,
       {.answers = {address(1, 300)}, .authorities = {soa(20'000, 60)}},
       {300, 20'000}},
      {"a maximum of one's own",
       {.ttl_min = 0, .ttl_max = 60, .negative_ttl_max = 3'600},
       noerror_flags,
       {.answers = {cname(7), target_address(61)}},
       {7, 60}},
      {"a minimum",
       {.ttl_min = 60, .ttl_max = 86'400, .negative_ttl_max = 3'600},
       noerror_flags,
       {.answers = {cname(7), target_address(61)}},
       {60, 61}},
      {"a minimum raises 0, too",
       {.ttl_min = 60, .ttl_max = 86'400, .negative_ttl_max = 3'600},
       noerror_flags,
       {.answers = {address(1, 0)}},
       {60}},
      {"a maximum below the minimum wins",
       {.ttl_min = 60, .ttl_max = 30, .negative_ttl_max = 3'600},
       noerror_flags,
       {.answers = {address(1, 10)}},
       {30}},
  };
  for (const TtlCase& each : cases) expect_ttls(each);
}

TEST(TtlRules, NegativeAnswers) {
  const Octets nsec = record(wire("example.com"), rtype::nsec, 7'000, wire("a.example.com"));
  const TtlRules minimum = {.ttl_min = 60, .ttl_max = 86'400, .negative_ttl_max = 3'600};
  const TtlCase cases[] = {
      {"MINIMUM is lower", standard, nxdomain_flags, {.authorities = {soa(300, 60)}}, {60}},
      {"the SOA's TTL is lower", standard, nxdomain_flags, {.authorities = {soa(60, 300)}}, {60}},
      {"no data, alike", standard, noerror_flags, {.authorities = {soa(300, 60)}}, {60}},
      {"at most an hour", standard, nxdomain_flags, {.authorities = {soa(9'000, 9'000)}}, {3'600}},
      {"MINIMUM with the top bit set",
       standard,
       nxdomain_flags,
       {.authorities = {soa(0xFFFF'FFFF, 0xFFFF'FFFF)}},
       {3'600}},
      {"a chain that lives shorter",
       standard,
       nxdomain_flags,
       {.answers = {cname(5)}, .authorities = {soa(300, 60)}},
       {5, 60}},
      {"a chain that lives longer",
       standard,
       nxdomain_flags,
       {.answers = {cname(90'000)}, .authorities = {soa(300, 60)}},
       {86'400, 60}},
      {"the signature lives as long as its SOA, other records as they came",
       standard,
       nxdomain_flags,
       {.authorities = {soa(300, 60), signature(wire("example.com"), rtype::soa, 300), nsec,
                        signature(wire("example.com"), rtype::nsec, 7'000)}},
       {60, 60, 7'000, 7'000}},
      {"the SOA behind other records",
       standard,
       nxdomain_flags,
       {.authorities = {nsec, soa(300, 60)}},
       {7'000, 60}},
      {"a cap of all TTLs holds here, too",
       {.ttl_min = 0, .ttl_max = 30, .negative_ttl_max = 3'600},
       nxdomain_flags,
       {.authorities = {soa(300, 60)}},
       {30}},
      {"a minimum raises negative ones",
       minimum,
       nxdomain_flags,
       {.authorities = {soa(300, 5)}},
       {60}},
      {"a minimum raises MINIMUM 0", minimum, nxdomain_flags, {.authorities = {soa(300, 0)}}, {60}},
      {"but not above their maximum",
       {.ttl_min = 60, .ttl_max = 86'400, .negative_ttl_max = 10},
       nxdomain_flags,
       {.authorities = {soa(300, 5)}},
       {10}},
  };
  for (const TtlCase& each : cases) expect_ttls(each);
}

TEST(TtlRules, AnAnswerThatIsNotKeptIsBoundedAlike) {
  Answer answer =
      rewritten(response({.answers = {address(1, 90'000)}}, 0x8380, rtype::a), asked(rtype::a));
  EXPECT_FALSE(apply_ttl_rules(answer, asked(rtype::a), {}));
  EXPECT_EQ(ttls(answer), Ttls{86'400});
}

TEST(TtlRules, WithoutRecordsThereIsNoTtl) {
  Answer answer = rewritten(response({}, 0x8182, rtype::a), asked(rtype::a));
  EXPECT_FALSE(apply_ttl_rules(answer, asked(rtype::a), {.ttl_min = 60}));
  EXPECT_EQ(answer.ttl_min, 0U);
}

TEST(TtlRules, TheRootIsAQuestionLikeAnyOther) {
  const Octets message = join(
      {test::header({.flags = nxdomain_flags, .authorities = 1}), test::question(".", rtype::a),
       record({0}, rtype::soa, 300, join({{0}, {0}, Octets(16, 0xEE), octets32(77)}))});
  const Question root(wire("."), rtype::a, rclass::in, {});
  Answer answer = rewritten(message, root);
  EXPECT_TRUE(apply_ttl_rules(answer, root, {}));
  EXPECT_EQ(answer.ttl_min, 77U);
}

// --- whatever comes ------------------------------------------------------------------------------

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  Sections sections() {
    Sections made;
    soa_left_ = true;
    fill(made.answers);
    fill(made.authorities);
    fill(made.additionals);
    return made;
  }
  TtlRules rules() {
    return {.ttl_min = random_.below(3) == 0 ? ttl() : 0,
            .ttl_max = random_.below(2) == 0 ? ttl() : 86'400,
            .negative_ttl_max = random_.below(2) == 0 ? ttl() : 3'600};
  }
  std::uint16_t flags() {
    const std::uint16_t choices[] = {noerror_flags, nxdomain_flags, 0x8182, 0x8380};
    return choices[random_.below(4)];
  }
  std::uint16_t qtype() {
    const std::uint16_t choices[] = {rtype::a, rtype::cname, rtype::soa, rtype::any, rtype::txt};
    return choices[random_.below(5)];
  }

 private:
  std::uint32_t ttl() {
    const std::uint32_t choices[] = {0,      1,  59,  60,          3'600,       3'601,      86'400,
                                     86'401, 30, 300, 0x7FFF'FFFF, 0x8000'0000, 0xFFFF'FFFF};
    return choices[random_.below(std::size(choices))];
  }
  void fill(std::vector<Octets>& section) {
    for (std::uint64_t left = random_.below(4); left > 0; --left) section.push_back(any_record());
  }
  Octets any_record() {
    switch (random_.below(6)) {
      case 0:
        return address(static_cast<unsigned>(random_.below(256)), ttl());
      case 1:
        return cname(ttl());
      case 2:
        return ns(ttl());
      case 3:
        return signature(wire("example.com"), rtype::soa, ttl());
      case 4:
        // A second one would be another RRset's SOA, which no zone has.
        if (!std::exchange(soa_left_, false)) return target_address(ttl());
        return soa(ttl(), ttl());
      default:
        return target_address(ttl());
    }
  }

  Random random_;
  bool soa_left_ = true;
};

TEST(TtlRulesProperty, NoTtlIsAboveTheUpstreamsNorTheCapAndNothingElseChanges) {
  Generator generate(3);
  std::set<bool> seen;
  for (int round = 0; round < 20'000; ++round) {
    const std::uint16_t qtype = generate.qtype();
    const Answer before =
        rewritten(response(generate.sections(), generate.flags(), qtype), asked(qtype));
    Answer after = before;
    const TtlRules rules = generate.rules();
    const bool kept = apply_ttl_rules(after, asked(qtype), rules);
    seen.insert(kept);

    auto was = naive_message(before.message);
    auto is = naive_message(after.message);
    ASSERT_TRUE(was && is);
    ASSERT_EQ(was->records.size(), is->records.size());
    unsigned long lowest = is->records.empty() ? 0 : UINT32_MAX;
    for (std::size_t i = 0; i < is->records.size(); ++i) {
      auto& upstream = was->records[i];
      const auto& ours = is->records[i];
      ASSERT_LE(ours.ttl, rules.ttl_max) << round;
      ASSERT_LE(ours.ttl, std::max<unsigned long>(upstream.ttl, rules.ttl_min)) << round;
      lowest = std::min(lowest, ours.ttl);
      upstream.ttl = ours.ttl;
    }
    ASSERT_EQ(was->records, is->records) << round;
    ASSERT_EQ(after.ttl_min, lowest) << round;
    ASSERT_TRUE(!kept || lowest > 0) << round;

    Answer again = after;
    ASSERT_EQ(apply_ttl_rules(again, asked(qtype), rules), kept) << round;
    ASSERT_EQ(again.message, after.message) << round;
  }
  EXPECT_EQ(seen.size(), 2U);
}

}  // namespace
}  // namespace sotto
