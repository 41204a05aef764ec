#include "dns/answer.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "dns/rdata_layout.h"
#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::address;
using test::join;
using test::naive_message;
using test::octets;
using test::Octets;
using test::opt;
using test::option;
using test::record;
using test::to_qname;
using test::wire;

const Question asked(wire("www.example.com"), rtype::a, rclass::in, {});
const Octets asked_octets = test::question("www.example.com", rtype::a);
const Octets outsider = wire("other.example.net");

Octets response(std::uint16_t answers, std::uint16_t authorities, std::uint16_t additionals,
                const Octets& records, std::uint16_t flags = 0x8180) {
  return join({test::header({.flags = flags,
                             .answers = answers,
                             .authorities = authorities,
                             .additionals = additionals}),
               asked_octets, records});
}

Octets answers(std::uint16_t count, const Octets& records) {
  return response(count, 0, 0, records);
}

struct AnswerCase {
  const char* reason;
  Octets message;
  std::optional<Error> error;
};

TEST(Answer, IsAcceptedOrRefusedForAReason) {
  const Octets lying_rdata = octets({0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, 99, 1});
  const Octets none = {};
  const AnswerCase cases[] = {
      {"an address", answers(1, address(1)), {}},
      {"no record", answers(0, none), {}},
      {"less than a header", octets({1, 2, 3}), Error::short_message},
      {"a query", response(0, 0, 0, none, 0x0100), Error::not_a_response},
      {"another opcode", response(0, 0, 0, none, 0xA980), Error::not_a_response},
      {"a header only", test::header({.flags = 0x8180, .questions = 0}), Error::bad_count},
      {"a header that promises", test::header({.flags = 0x8180}), Error::not_a_response},
      {"another question", join({test::header({.flags = 0x8180}), test::question("a", 1)}),
       Error::not_a_response},
      {"one record too few", answers(2, address(1)), Error::bad_count},
      {"65535 records", response(0xFFFF, 0xFFFF, 0xFFFF, none), Error::bad_count},
      {"one record too many is not looked at", answers(1, join({address(1), address(2)})), {}},
      {"half a record", answers(1, octets({0xC0, 12, 0, 1, 0})), Error::short_message},
      {"RDLENGTH beyond the message", answers(1, lying_rdata), Error::short_message},
      {"half an owner", answers(1, octets({0xC0})), Error::short_message},
      {"an owner that points at itself", answers(1, record(octets({0xC0, 33}), 1, 0, none)),
       Error::bad_name},
      {"an owner of a reserved type", answers(1, record(octets({0x80, 1, 0}), 1, 0, none)),
       Error::bad_name},
      {"an address of five octets", answers(1, record(to_qname, 1, 0, Octets(5, 1))),
       Error::bad_rdata},
      {"an IPv6 address of four octets", answers(1, record(to_qname, 28, 0, Octets(4, 1))),
       Error::bad_rdata},
      {"type A of another class has another form",
       answers(1, record(to_qname, 1, 0, Octets(5, 1), 3)),
       {}},
      {"a CNAME with an octet too many", answers(1, record(to_qname, 5, 0, octets({0, 0}))),
       Error::bad_rdata},
      {"a CNAME without a name", answers(1, record(to_qname, 5, 0, none)), Error::bad_rdata},
      {"a CNAME that runs out of its RDATA",
       answers(1, join({record(to_qname, 5, 0, octets({3, 'a', 'b'})), octets({'c', 0})})),
       Error::bad_rdata},
      {"a CNAME that points forward", answers(1, record(to_qname, 5, 0, octets({0xC1, 0}))),
       Error::bad_name},
      {"an MX without a name", answers(1, record(to_qname, 15, 0, octets({0, 1}))),
       Error::bad_rdata},
      {"an MX of one octet", answers(1, record(to_qname, 15, 0, octets({0}))), Error::bad_rdata},
      {"a SOA without its numbers", answers(1, record(to_qname, 6, 0, Octets(21, 0))),
       Error::bad_rdata},
      {"a NAPTR with a string too long",
       answers(1, record(to_qname, 35, 0, octets({0, 1, 0, 1, 9, 'x'}))), Error::bad_rdata},
      {"any RDATA of a type nobody knows",
       answers(1, record(to_qname, 65'000, 0, Octets(7, 0xC0))),
       {}},
      {"OPT", response(0, 0, 1, opt()), {}},
      {"OPT among the answers", answers(1, opt()), Error::bad_edns},
      {"OPT in the authority section", response(0, 1, 0, opt()), Error::bad_edns},
      {"two OPTs", response(0, 0, 2, join({opt(), opt()})), Error::bad_edns},
      {"OPT with an owner", response(0, 0, 1, record(to_qname, 41, 0, none)), Error::bad_edns},
      {"an option longer than OPT", response(0, 0, 1, opt(octets({0, 15, 0, 9, 1}))),
       Error::bad_edns},
      {"an empty EDE says nothing", response(0, 0, 1, opt(option(15, none))), {}},
      {"a keepalive of one octet says nothing",
       response(0, 0, 1, opt(option(11, octets({1})))),
       {}},
  };
  for (const AnswerCase& test : cases) {
    Answer answer;
    const auto done = rewrite_response(test.message, asked, answer);
    EXPECT_EQ(done.has_value(), !test.error) << test.reason;
    if (done.has_value()) continue;
    EXPECT_EQ(done.error(), test.error) << test.reason << ": " << describe(done.error());
    EXPECT_TRUE(answer.message.empty()) << test.reason;
  }
}

Answer rewritten(const Octets& message, const Question& question = asked) {
  Answer answer;
  const auto done = rewrite_response(message, question, answer);
  EXPECT_TRUE(done);
  return answer;
}

TEST(Answer, KeepsTruncationAuthenticityAndTheCodeOnly) {
  const Answer answer = rewritten(response(0, 0, 0, {}, 0xFFFF & ~0x7800));
  EXPECT_EQ(load16(answer.message.data()), 0);
  EXPECT_EQ(load16(answer.message.data() + 2), 0x022F);
  EXPECT_TRUE(answer.truncated());
  EXPECT_TRUE(answer.authentic());
  EXPECT_EQ(answer.rcode, 15);
  const Answer plain = rewritten(response(0, 0, 0, {}, 0x8000));
  EXPECT_FALSE(plain.truncated());
  EXPECT_FALSE(plain.authentic());
}

TEST(Answer, TakesOptOut) {
  const Octets options = join({option(11, octets({0, 100})), option(12, Octets(9, 0)),
                               option(15, join({octets({0, 22}), test::octets_of("no path")})),
                               option(15, octets({0, 9}))});
  // In front of another record, where some servers put it.
  const Answer answer = rewritten(
      response(0, 0, 2, join({opt(options, 0xFF00'8000), record(outsider, 1, 9, Octets(4, 7))})));
  EXPECT_TRUE(answer.edns);
  EXPECT_EQ(answer.rcode, 0xFF0);
  EXPECT_EQ(answer.keepalive, 100);
  ASSERT_TRUE(answer.extended_error);
  EXPECT_EQ(answer.extended_error->code, 22);
  EXPECT_EQ(answer.extended_error->text, "no path");
  const auto parsed = naive_message(answer.message);
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->records.size(), 1U);
  EXPECT_EQ(parsed->records[0].type, 1U);
  EXPECT_EQ(answer.ttl_min, 9U);
}

TEST(Answer, ForgetsTheOneBefore) {
  Answer answer;
  ASSERT_TRUE(rewrite_response(
      response(
          1, 0, 1,
          join({address(1), opt(join({option(15, octets({0, 1})), option(11, octets({0, 1}))}))})),
      asked, answer));
  ASSERT_TRUE(rewrite_response(answers(0, {}), asked, answer));
  EXPECT_FALSE(answer.edns);
  EXPECT_FALSE(answer.extended_error);
  EXPECT_FALSE(answer.keepalive);
  EXPECT_EQ(answer.ttl_min, 0U);
  EXPECT_TRUE(answer.rrset_ends.empty());
  EXPECT_EQ(answer.message.size(), 12 + asked_octets.size());
}

TEST(Answer, KeepsReadableTextOfExtendedErrors) {
  struct {
    const char* reason;
    std::string sent;
    std::string kept;
  } const cases[] = {
      {"plain text", "blocked", "blocked"},
      {"nothing", "", ""},
      {"a NUL at the end", std::string("text\0", 5), "text"},
      {"a line break", "one\ntwo", "one"},
      {"64 octets", std::string(64, 'a'), std::string(64, 'a')},
      {"65 octets", std::string(65, 'a'), std::string(64, 'a')},
      {"not cut inside a character", std::string(63, 'a') + "\xC3\xA4", std::string(63, 'a')},
      {"two, three and four octets", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x92",
       "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x92"},
      {"an overlong form", "a\xC0\xAF", "a"},
      {"an overlong form of three", "a\xE0\x80\xAF", "a"},
      {"a surrogate", "a\xED\xA0\x80", "a"},
      {"beyond U+10FFFF", "a\xF4\x90\x80\x80", "a"},
      {"a C1 control character", "a\xC2\x9B", "a"},
      {"a character cut short", "a\xE2\x82", "a"},
      {"a stray continuation", "a\x80", "a"},
  };
  for (const auto& test : cases) {
    const Octets value = join({octets({0, 15}), test::octets_of(test.sent)});
    const Answer answer = rewritten(response(0, 0, 1, opt(option(15, value))));
    ASSERT_TRUE(answer.extended_error) << test.reason;
    EXPECT_EQ(answer.extended_error->text, test.kept) << test.reason;
  }
}

TEST(Answer, WritesTheQuestionInLowerCaseAndPointsOwnersToIt) {
  // Spelled otherwise, not compressed, or pointing elsewhere: all are the qname.
  const Octets message =
      join({test::header({.flags = 0x8180, .answers = 3}), test::question("wWw.Example.COM", 1),
            address(1), record(wire("WWW.example.com"), 1, 300, Octets(4, 2)),
            record(octets({3, 'W', 'w', 'w', 0xC0, 16}), 1, 300, Octets(4, 3))});
  const Answer answer = rewritten(message);
  const Octets expected =
      join({test::header({.id = 0, .flags = 0, .answers = 3}), asked_octets, address(1),
            record(to_qname, 1, 300, Octets(4, 2)), record(to_qname, 1, 300, Octets(4, 3))});
  EXPECT_EQ(answer.message, expected);
  EXPECT_EQ(answer.rrset_ends.size(), 1U);
}

TEST(Answer, ServesTheRoot) {
  const Question root(octets({0}), rtype::ns, rclass::in, {});
  const Octets message = join({test::header({.flags = 0x8180, .answers = 1, .additionals = 1}),
                               test::question(".", rtype::ns),
                               record({0}, rtype::ns, 5, wire("a.root-servers.net")), opt()});
  const auto parsed = naive_message(rewritten(message, root).message);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->records.at(0).owner, test::Labels{});
  // The root is one octet; a pointer to it would be longer.
  EXPECT_EQ(rewritten(message, root).message.size(), message.size() - 11);
}

// The names of these types arrive compressed; they are written compressed only if RFC 1035 says so.
TEST(Answer, DecompressesNamesInKnownTypes) {
  const Octets name = octets({1, 'x', 0xC0, 16});  // x.example.com
  struct {
    unsigned type;
    Octets rdata;
    bool compressed;
  } const cases[] = {
      {2, name, true},
      {3, name, true},
      {4, name, true},
      {5, name, true},
      {6, join({name, name, Octets(20, 1)}), true},
      {7, name, true},
      {8, name, true},
      {9, name, true},
      {12, name, true},
      {14, join({name, name}), true},
      {15, join({octets({0, 1}), name}), true},
      {17, join({name, name}), false},
      {18, join({octets({0, 1}), name}), false},
      {21, join({octets({0, 1}), name}), false},
      {24, join({Octets(18, 1), name, Octets(30, 2)}), false},
      {26, join({octets({0, 1}), name, name}), false},
      {30, join({name, octets({1, 2, 3})}), false},
      {33, join({Octets(6, 1), name}), false},
      {35, join({Octets(4, 1), octets({1, 'u', 0, 3, 'a', 'b', 'c'}), name}), false},
  };
  for (const auto& test : cases) {
    const auto type = static_cast<std::uint16_t>(test.type);
    EXPECT_GT(rdata_layout(type).names, 0) << type;
    const Octets message = answers(1, record(to_qname, type, 60, test.rdata));
    const Answer answer = rewritten(message);
    const auto before = naive_message(message);
    const auto after = naive_message(answer.message);
    ASSERT_TRUE(before && after) << type;
    EXPECT_EQ(before->records, after->records) << type;
    const Octets plain = wire("x.example.com");
    const bool has_plain = std::search(answer.message.begin(), answer.message.end(), plain.begin(),
                                       plain.end()) != answer.message.end();
    EXPECT_EQ(has_plain, !test.compressed) << type;
    EXPECT_EQ(answer.message.size() <= message.size(), test.compressed) << type;
  }
}

TEST(Answer, LeavesUnknownRdataAlone) {
  for (const unsigned type : {10U, 13U, 16U, 39U, 45U, 64U, 65U, 257U, 65'280U}) {
    const Octets rdata = octets({0xC0, 12, 3, 'a', 'b', 'c', 0, 0xFF});
    const Octets message =
        answers(1, record(to_qname, static_cast<std::uint16_t>(type), 60, rdata));
    const Answer answer = rewritten(message);
    EXPECT_TRUE(std::equal(answer.message.begin() + 12, answer.message.end(), message.begin() + 12))
        << type;
  }
}

TEST(Answer, StripsDnssecRecordsNobodyAskedFor) {
  const Octets rrsig = record(to_qname, rtype::rrsig, 60, join({octets({0, 1}), Octets(40, 1)}));
  const Octets nsec = record(outsider, rtype::nsec, 5, join({wire("z.example.net"), octets({0})}));
  const Octets nsec3 = record(outsider, rtype::nsec3, 5, Octets(30, 1));
  const Octets message = response(2, 3, 1, join({address(1), rrsig, nsec, nsec3, rrsig, opt()}));
  const auto types = [&](std::uint16_t qtype, bool dnssec_ok) {
    const Question question(wire("www.example.com"), qtype, rclass::in, {.dnssec_ok = dnssec_ok});
    Octets octets = message;
    store16(octets.data() + 12 + 17, qtype);
    const auto parsed = naive_message(rewritten(octets, question).message);
    std::vector<unsigned> result;
    for (const auto& each : parsed.value().records) result.push_back(each.type);
    return result;
  };
  using Types = std::vector<unsigned>;
  EXPECT_EQ(types(rtype::a, false), (Types{1}));
  EXPECT_EQ(types(rtype::a, true), (Types{1, 46, 47, 50, 46}));
  EXPECT_EQ(types(rtype::rrsig, false), (Types{1, 46, 46}));
  EXPECT_EQ(types(rtype::nsec, false), (Types{1, 47}));
  EXPECT_EQ(types(rtype::any, false), (Types{1, 46, 47, 50, 46}));
}

TEST(Answer, RefusesWhatGrowsBeyondAMessage) {
  // RP's names may not be sent compressed: 200 octets for two, twice in each of 400 records.
  Octets long_name;
  for (int i = 0; i < 3; ++i) {
    long_name.push_back(63);
    long_name.insert(long_name.end(), 63, 'a');
  }
  long_name.push_back(0);
  const std::size_t at = 12 + asked_octets.size() + 12;
  Octets message = answers(401, record(to_qname, 17, 60, join({long_name, octets({0})})));
  const Octets pointer = octets({0xC0, static_cast<unsigned>(at)});
  for (int i = 0; i < 400; ++i) {
    const Octets more = record(to_qname, 17, 60, join({pointer, pointer}));
    message.insert(message.end(), more.begin(), more.end());
  }
  Answer answer;
  const auto done = rewrite_response(message, asked, answer);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error(), Error::message_too_long);
  // The next answer is written into the same memory.
  EXPECT_TRUE(rewrite_response(answers(1, address(1)), asked, answer));
}

}  // namespace
}  // namespace sotto
