#include "dns/query.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "dns/question.h"
#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::join;
using test::octets;
using test::Octets;
using test::opt;
using test::option;

const Octets asked = test::question("www.example.com", rtype::a);

Octets header(test::Header fields) {
  return test::header(fields);
}

// A query of one question and these additional records.
Octets query_with(std::uint16_t additionals, const Octets& records) {
  return join({header({.flags = 0x0100, .additionals = additionals}), asked, records});
}

struct QueryCase {
  const char* reason;
  Octets message;
  Verdict verdict;
  bool question = true;  // readable, so that it can be echoed
  bool edns = false;     // the response carries OPT
};

void check(const QueryCase& test) {
  Query query;
  EXPECT_EQ(parse_query(test.message, query), test.verdict) << test.reason;
  if (test.verdict == Verdict::drop) return;
  EXPECT_EQ(query.id, 0x1234) << test.reason;
  EXPECT_EQ(!query.qname.empty(), test.question) << test.reason;
  EXPECT_EQ(query.edns.present, test.edns) << test.reason;
}

TEST(Query, HeadersDecideFirst) {
  const Octets update = header({.flags = 0x2800});
  const QueryCase cases[] = {
      {"nothing", {}, Verdict::drop},
      {"eleven octets", Octets(11, 0), Verdict::drop},
      {"a response", join({header({.flags = 0x8180}), asked}), Verdict::drop},
      {"a response of another opcode", header({.flags = 0xA800, .questions = 0}), Verdict::drop},
      {"a plain query", join({header({.flags = 0x0100}), asked}), Verdict::accept},
      {"TC, AA, RA, Z and an RCODE mean nothing", join({header({.flags = 0x07FF}), asked}),
       Verdict::accept},
      {"IQUERY", join({header({.flags = 0x0800}), asked}), Verdict::notimp},
      {"UPDATE", join({update, asked}), Verdict::notimp},
      {"NOTIFY", join({header({.flags = 0x2000}), asked}), Verdict::notimp},
      {"opcode 15, header only", header({.flags = 0x7800, .questions = 0}), Verdict::notimp, false},
      {"another opcode, counts lie", header({.flags = 0x2800, .answers = 9}), Verdict::notimp,
       false},
      {"another opcode with OPT", join({header({.flags = 0x2800, .additionals = 1}), asked, opt()}),
       Verdict::notimp, true, true},
      {"header only", header({.questions = 0}), Verdict::formerr, false},
      {"a header that promises a question", header({}), Verdict::formerr, false},
      {"no question, but OPT", join({header({.questions = 0, .additionals = 1}), opt()}),
       Verdict::formerr, false, true},
      {"two questions", join({header({.questions = 2}), asked, asked}), Verdict::formerr, false},
      {"two questions, and OPT",
       join({header({.questions = 2, .additionals = 1}), asked, asked, opt()}), Verdict::formerr,
       false, true},
      {"all counts 65535",
       header(
           {.questions = 0xFFFF, .answers = 0xFFFF, .authorities = 0xFFFF, .additionals = 0xFFFF}),
       Verdict::formerr, false},
      {"65535 additional records, none there", join({header({.additionals = 0xFFFF}), asked}),
       Verdict::formerr},
  };
  for (const QueryCase& test : cases) check(test);
}

TEST(Query, QuestionsAreReadOrRefused) {
  const Octets one = header({.flags = 0x0100});
  Octets long_name = one;
  for (int i = 0; i < 5; ++i) {
    long_name.push_back(63);
    long_name.insert(long_name.end(), 63, 'a');
  }
  const QueryCase cases[] = {
      {"the root", join({one, octets({0, 0, 2, 0, 1})}), Verdict::accept},
      {"a pointer into the header", join({one, octets({0xC0, 0, 0, 1, 0, 1})}), Verdict::formerr,
       false},
      {"a pointer to itself", join({one, octets({0xC0, 12, 0, 1, 0, 1})}), Verdict::formerr, false},
      {"a reserved label type", join({one, octets({0x41, 'a', 0, 0, 1, 0, 1})}), Verdict::formerr,
       false},
      {"no class", join({one, octets({1, 'a', 0, 0, 1, 0})}), Verdict::formerr, false},
      {"a name without end", join({one, octets({1, 'a'})}), Verdict::formerr, false},
      {"a name of 320 octets", join({long_name, octets({0, 0, 1, 0, 1})}), Verdict::formerr, false},
      {"labels with dots and NULs", join({one, octets({3, '.', 0, ' ', 0, 0, 1, 0, 1})}),
       Verdict::accept},
      {"AXFR", join({one, test::question("example.com", 252)}), Verdict::notimp},
      {"IXFR", join({one, test::question("example.com", 251)}), Verdict::notimp},
      {"IXFR with its SOA in the authority section",
       join({header({.authorities = 1}), test::question("example.com", 251),
             test::record(test::to_qname, 6, 0, Octets(22, 0))}),
       Verdict::notimp},
      {"AXFR with OPT",
       join({header({.additionals = 1}), test::question("example.com", 252), opt()}),
       Verdict::notimp, true, true},
      {"ANY", join({one, test::question("example.com", 255)}), Verdict::accept},
      {"an unknown type and class", join({one, test::question("example.com", 65280, 999)}),
       Verdict::accept},
      {"octets behind the message", join({one, asked, octets({1, 2, 3})}), Verdict::accept},
  };
  for (const QueryCase& test : cases) check(test);
}

TEST(Query, RecordsAreCheckedAndIgnored) {
  const Octets tsig = test::record(octets({3, 'k', 'e', 'y', 0}), 250, 0, Octets(40, 1), 255);
  const Octets lying = octets({0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 9, 1});
  const QueryCase cases[] = {
      {"TSIG", query_with(1, tsig), Verdict::accept},
      {"TSIG behind OPT", query_with(2, join({opt(), tsig})), Verdict::accept, true, true},
      {"an answer in the query", join({header({.answers = 1}), asked, test::address(1)}),
       Verdict::accept},
      {"an answer that is not there", join({header({.answers = 1}), asked}), Verdict::formerr},
      {"a record without RDATA's end", query_with(1, lying), Verdict::formerr},
      {"a record cut short", query_with(1, octets({0, 0, 16, 0, 1})), Verdict::formerr},
      {"an owner that points at itself", query_with(1, test::record(octets({0xC0, 33}), 16, 0, {})),
       Verdict::formerr},
  };
  for (const QueryCase& test : cases) check(test);
}

TEST(Query, EdnsIsReadOrRefused) {
  const Octets cookie = option(10, Octets(8, 1));
  Octets empty_options;
  for (int i = 0; i < 16'000; ++i) {
    const Octets empty = option(static_cast<std::uint16_t>(i), {});
    empty_options.insert(empty_options.end(), empty.begin(), empty.end());
  }
  const QueryCase cases[] = {
      {"OPT", query_with(1, opt()), Verdict::accept, true, true},
      {"unknown flags", query_with(1, opt({}, 0x7FFF)), Verdict::accept, true, true},
      {"an unknown option", query_with(1, opt(option(100, octets({1})))), Verdict::accept, true,
       true},
      {"a cookie, NSID and client subnet",
       query_with(1, opt(join({cookie, option(3, {}), option(8, octets({0, 1, 0, 0}))}))),
       Verdict::accept, true, true},
      {"16,000 empty options", query_with(1, opt(empty_options)), Verdict::accept, true, true},
      {"version 1", query_with(1, opt({}, 0x0001'0000)), Verdict::badvers, true, true},
      {"version 255", query_with(1, opt({}, 0x00FF'0000)), Verdict::badvers, true, true},
      {"version 1, options of another form", query_with(1, opt(octets({1, 2, 3}), 0x0001'0000)),
       Verdict::badvers, true, true},
      {"version 1 and garbage behind it",
       query_with(2, join({opt({}, 0x0001'0000), octets({9, 9})})), Verdict::formerr, true, true},
      {"two OPTs", query_with(2, join({opt(), opt()})), Verdict::formerr, true, true},
      {"an OPT with an owner",
       query_with(1, test::record(octets({1, 'a', 0}), rtype::opt, 0, {}, 1'232)), Verdict::formerr,
       true, true},
      {"half an option", query_with(1, opt(octets({0, 10, 0}))), Verdict::formerr, true, true},
      {"an option longer than the RDATA", query_with(1, opt(octets({0, 10, 0, 8, 1}))),
       Verdict::formerr, true, true},
      {"an OPT among the answers", join({header({.answers = 1}), asked, opt()}), Verdict::formerr},
      {"an OPT in the authority section", join({header({.authorities = 1}), asked, opt()}),
       Verdict::formerr},
      {"a keepalive with a value is no request, and no error over UDP",
       query_with(1, opt(option(11, octets({0, 9})))), Verdict::accept, true, true},
  };
  for (const QueryCase& test : cases) check(test);
}

QueryEdns edns_of(const Octets& records) {
  Query query;
  EXPECT_EQ(parse_query(query_with(1, records), query), Verdict::accept);
  return query.edns;
}

TEST(Query, EdnsFieldsAreTaken) {
  EXPECT_EQ(edns_of(opt({}, 0, 4'096)).udp_octets, 4'096);
  EXPECT_EQ(edns_of(opt({}, 0, 100)).udp_octets, 512);  // RFC 6891 §6.2.5
  EXPECT_TRUE(edns_of(opt({}, 0x8000)).dnssec_ok);
  EXPECT_FALSE(edns_of(opt({}, 0x7FFF)).dnssec_ok);
  EXPECT_TRUE(edns_of(opt(option(12, Octets(20, 0)))).padding);
  EXPECT_TRUE(edns_of(opt(option(12, {}))).padding);
  EXPECT_TRUE(edns_of(opt(option(11, {}))).keepalive);
  EXPECT_FALSE(edns_of(opt(option(11, octets({0, 9})))).keepalive);
  EXPECT_FALSE(edns_of(opt()).padding);
}

TEST(Query, ReadsTheClientsSpelling) {
  Query query;
  const Octets message = join({header({.flags = 0x0130}), test::question("wWw.Example", 15, 3)});
  ASSERT_EQ(parse_query(message, query), Verdict::accept);
  EXPECT_TRUE(std::ranges::equal(query.qname, test::wire("wWw.Example")));
  EXPECT_EQ(query.qtype, 15);
  EXPECT_EQ(query.qclass, 3);
  EXPECT_TRUE(query.recursion_desired());
  EXPECT_TRUE(query.checking_disabled());
  EXPECT_TRUE(query.wants_authentic_data());
}

// Every query cut anywhere is refused or dropped, never misread as a whole one.
TEST(Query, CutAnywhereItIsNotAccepted) {
  const Octets whole =
      query_with(1, opt(join({option(12, Octets(5, 0)), option(10, Octets(8, 1))})));
  Query query;
  ASSERT_EQ(parse_query(whole, query), Verdict::accept);
  for (std::size_t octets = 0; octets < whole.size(); ++octets) {
    const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(octets));
    EXPECT_EQ(parse_query(cut, query), octets < 12 ? Verdict::drop : Verdict::formerr) << octets;
  }
}

// What is forwarded reads as exactly what was asked, and carries nothing else of the client's.
TEST(Query, WhatIsForwardedIsWhatWasParsed) {
  const char* const names[] = {".", "a", "www.example.com", "\\000\\255.\\046.x", "A.b.C.d.E"};
  for (const char* const name : names) {
    for (const std::uint16_t type : std::initializer_list<std::uint16_t>{1, 28, 255, 65'535}) {
      for (const std::uint16_t flags :
           std::initializer_list<std::uint16_t>{0, 0x0100, 0x0010, 0x0110}) {
        const Octets cookie = opt(option(10, Octets(8, 0x5A)), 0x8000);
        const Octets message = join({header({.flags = flags, .additionals = 1}),
                                     test::question(name, type), cookie, octets({0xDE, 0xAD})});
        Query query;
        ASSERT_EQ(parse_query(message, query), Verdict::accept);
        const Question question(query.qname, query.qtype, query.qclass,
                                {.recursion_desired = query.recursion_desired(),
                                 .checking_disabled = query.checking_disabled(),
                                 .dnssec_ok = query.edns.dnssec_ok});
        Octets buffer(upstream_query_octets_max);
        buffer.resize(write_upstream_query(question, 1, {}, buffer));
        const auto sent = test::naive_message(buffer);
        ASSERT_TRUE(sent);
        EXPECT_EQ(sent->end, buffer.size());
        EXPECT_TRUE(question.matches(buffer));
        EXPECT_EQ(sent->flags, flags | flag::authentic_data);
        EXPECT_EQ(sent->records.size(), 1U);
        EXPECT_FALSE(test::naive_option(*sent, 10));
        Query again;
        ASSERT_EQ(parse_query(buffer, again), Verdict::accept);
        EXPECT_EQ(Question(again.qname, again.qtype, again.qclass, question.flags()), question);
      }
    }
  }
}

}  // namespace
}  // namespace sotto
