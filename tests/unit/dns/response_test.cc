#include "dns/response.h"

#include <gtest/gtest.h>

#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::address;
using test::join;
using test::naive_message;
using test::naive_option;
using test::NaiveMessage;
using test::octets;
using test::Octets;
using test::opt;
using test::option;
using test::record;
using test::to_qname;
using test::wire;

struct Client {
  std::uint16_t flags = 0x0100;
  bool edns = true;
  Octets options = {};
  std::uint32_t opt_ttl = 0;
  std::uint16_t octets_max = 1'232;
  std::uint16_t padding_block = 0;
  std::uint16_t keepalive = 0;
};

Asker asker(const Client& client) {
  const Octets message =
      join({test::header({.flags = client.flags,
                          .additionals = client.edns ? std::uint16_t{1} : std::uint16_t{0}}),
            test::question("wWw.Example.com", rtype::a),
            client.edns ? opt(client.options, client.opt_ttl, 4'096) : Octets{}});
  static const Octets name = wire("wWw.Example.com");
  Query query;
  parse_query(message, query);
  Asker result = Asker::of(query, client.octets_max);
  result.qname = name;  // the message's octets end here
  result.padding_block = client.padding_block;
  result.keepalive = client.keepalive;
  return result;
}

Answer answer_of(test::Header counts, const Octets& records, std::uint16_t flags = 0x8180) {
  counts.flags = flags;
  const Question question(wire("www.example.com"), rtype::a, 1, {.dnssec_ok = true});
  Answer answer;
  EXPECT_TRUE(rewrite_response(
      join({test::header(counts), test::question("www.example.com", rtype::a), records}), question,
      answer));
  return answer;
}

struct Written {
  Octets octets;
  NaiveMessage message;
};

// What complete_response() makes of the answer's records, placed.
Octets completed(const Answer& answer, const Asker& to) {
  Octets buffer(to.octets_max, 0xEE);
  std::copy(answer.message.begin() + 12, answer.message.end(), buffer.begin() + 12);
  const std::uint8_t* const counts = &answer.message[6];
  const PlacedMessage placed{.octets = answer.message.size(),
                             .rcode = answer.rcode,
                             .authentic = answer.authentic(),
                             .answers = load16(counts),
                             .authorities = load16(counts + 2),
                             .additionals = load16(counts + 4)};
  buffer.resize(complete_response(placed, to, buffer));
  return buffer;
}

// Whichever way the records came, the response is the same.
Written finish(const Answer& answer, const Client& client) {
  Octets buffer(client.octets_max, 0xEE);
  const Asker to = asker(client);
  buffer.resize(write_response(answer, to, buffer));
  const bool plain = !answer.extended_error && !answer.truncated();
  if (plain && answer.message.size() <= placed_octets_max(to)) {
    EXPECT_EQ(completed(answer, to), buffer);
  }
  auto parsed = naive_message(buffer);
  EXPECT_TRUE(parsed);
  EXPECT_EQ(parsed->end, buffer.size());
  return {buffer, *parsed};
}

const Answer one_address = answer_of({.answers = 1}, address(1));

TEST(Response, CarriesTheClientsIdAndSpelling) {
  const Written written = finish(one_address, {});
  EXPECT_EQ(written.message.id, 0x1234U);
  EXPECT_EQ(written.message.qname, (test::Labels{"wWw", "Example", "com"}));
  EXPECT_EQ(written.message.qtype, 1U);
  EXPECT_EQ(written.message.records.at(0).owner, (test::Labels{"www", "example", "com"}));
}

TEST(Response, FlagsFollowClientAndAnswer) {
  const Answer authentic = answer_of({.answers = 1}, address(1), 0x85A0);  // AA, RD, RA, AD
  const Answer truncated = answer_of({.answers = 1}, address(1), 0x8380);
  const Answer nxdomain = answer_of({}, {}, 0x8183);
  struct {
    const char* reason;
    const Answer& answer;
    Client client;
    unsigned flags;
  } const cases[] = {
      {"RD as sent", one_address, {.flags = 0x0100}, 0x8180},
      {"no RD as sent", one_address, {.flags = 0x0000}, 0x8080},
      {"CD as sent", one_address, {.flags = 0x0110}, 0x8190},
      {"AA is never ours, AD was not asked for", authentic, {.flags = 0x0100}, 0x8180},
      {"AD asked for by AD", authentic, {.flags = 0x0120}, 0x81A0},
      {"AD asked for by DO", authentic, {.flags = 0x0100, .opt_ttl = 0x8000}, 0x81A0},
      {"AD asked for, not earned", one_address, {.flags = 0x0120}, 0x8180},
      {"TC of the upstream is passed on", truncated, {}, 0x8380},
      {"Z and others of the query are not copied", one_address, {.flags = 0x074F}, 0x8180},
      {"the RCODE", nxdomain, {}, 0x8183},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(finish(test.answer, test.client).message.flags, test.flags) << test.reason;
  }
}

TEST(Response, OptGoesToThoseWhoSentIt) {
  EXPECT_EQ(finish(one_address, {.edns = false}).message.records.size(), 1U);
  const Written written = finish(one_address, {.opt_ttl = 0x8000});
  ASSERT_EQ(written.message.records.size(), 2U);
  EXPECT_EQ(written.message.records[1].type, 41U);
  EXPECT_EQ(written.message.records[1].rclass, 1'232U);
  EXPECT_EQ(written.message.records[1].ttl, 0x8000U);
  EXPECT_EQ(written.message.records[1].rdata, "");
}

TEST(Response, ExtendedErrorsArePassedOn) {
  Answer answer = one_address;
  answer.extended_error = ExtendedError{.code = 6, .text = "bogus"};
  EXPECT_EQ(naive_option(finish(answer, {}).message, 15), std::string("\0\6bogus", 7));
  EXPECT_EQ(finish(answer, {.edns = false}).message.records.size(), 1U);
}

TEST(Response, CodesBeyondTheHeader) {
  struct {
    const char* reason;
    std::uint16_t rcode;
    bool edns;
    unsigned low;
    unsigned long high;
  } const cases[] = {
      {"eight more bits stand in OPT", 0xABC, true, 0xC, 0xAB00'0000},
      {"without OPT there is no place for them", 0xABC, false, 2, 0},
      {"BADVERS of the upstream is about our hop", 16, true, 2, 0},
      {"BADCOOKIE too", 23, true, 2, 0},
      {"code 24", 24, true, 8, 0x0100'0000},
  };
  for (const auto& test : cases) {
    Answer answer = one_address;
    answer.rcode = test.rcode;
    const Written written = finish(answer, {.edns = test.edns});
    EXPECT_EQ(written.message.flags & 0xFU, test.low) << test.reason;
    if (test.edns) {
      EXPECT_EQ(written.message.records.back().ttl, test.high) << test.reason;
    }
  }
}

TEST(Response, KeepaliveGoesToThoseWhoAsked) {
  const Octets asks = option(11, {});
  EXPECT_EQ(naive_option(finish(one_address, {.options = asks, .keepalive = 300}).message, 11),
            std::string("\x01\x2C"));
  EXPECT_FALSE(naive_option(finish(one_address, {.options = asks}).message, 11));
  EXPECT_FALSE(naive_option(finish(one_address, {.keepalive = 300}).message, 11));
}

TEST(Response, PaddingGoesToThoseWhoPadded) {
  const Octets padded = option(12, Octets(7, 0));
  const Client wants = {.options = join({padded, option(11, {})}),
                        .octets_max = 65'535,
                        .padding_block = 468,
                        .keepalive = 5};
  const Written written = finish(one_address, wants);
  EXPECT_EQ(written.octets.size(), 468U);
  const std::string rdata = written.message.records.back().rdata;
  EXPECT_EQ(rdata.substr(0, 8), std::string("\0\x0B\0\2\0\5\0\x0C", 8));  // padding comes last
  EXPECT_FALSE(naive_option(finish(one_address, {.padding_block = 468}).message, 12));
  EXPECT_FALSE(naive_option(finish(one_address, {.options = padded}).message, 12));
}

TEST(Response, PaddingNeverExceedsTheLimit) {
  const Client wants = {.options = option(12, {}), .octets_max = 512, .padding_block = 468};
  for (std::size_t text = 300; text < 480; ++text) {
    const Octets rdata(text, 1);
    const Answer answer = answer_of({.answers = 1}, record(to_qname, 65'280, 5, rdata));
    const std::size_t size = finish(answer, wants).octets.size();
    EXPECT_LE(size, 512U);
    if (text < 380) {
      EXPECT_EQ(size, 468U) << text;
    }
  }
}

// Answers of several RRsets, each of 100 octets of RDATA, cut at every possible limit.
TEST(Response, CutsAtRrsetEnds) {
  const Octets hundred(100, 1);
  Octets records;
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{
           60'001, 60'001, 60'002, 60'003, 60'004, 60'005, 60'005, 60'006}) {
    const Octets one = record(to_qname, type, 5, hundred);
    records.insert(records.end(), one.begin(), one.end());
  }
  const Answer answer = answer_of({.answers = 3, .authorities = 2, .additionals = 3}, records);
  ASSERT_EQ(answer.rrset_ends.size(), 6U);
  for (std::uint16_t limit = 512; limit <= 1'000; ++limit) {
    const Written written = finish(answer, {.octets_max = limit});
    const NaiveMessage& message = written.message;
    ASSERT_LE(written.octets.size(), limit);
    ASSERT_EQ(message.records.back().type, 41U);
    const std::size_t kept = message.records.size() - 1;
    // 12 octets around each RDATA; 33 of header and question; 11 of OPT.
    std::size_t expected = 0;
    for (const std::size_t unit : {2U, 3U, 4U, 5U, 7U, 8U}) {
      if (33 + unit * 112 + 11 <= limit) expected = unit;
    }
    EXPECT_EQ(kept, expected) << limit;
    EXPECT_EQ((message.flags & flag::truncated) != 0, kept < 5) << limit;
  }
}

TEST(Response, WhatDoesNotFitAtAllLeavesQuestionAndOpt) {
  const Answer answer = answer_of({.answers = 1}, record(to_qname, 16, 5, Octets(2'000, 1)));
  const Written with_opt = finish(answer, {});
  EXPECT_EQ(with_opt.message.records.size(), 1U);
  EXPECT_EQ(with_opt.message.flags, 0x8380U);
  const Written without = finish(answer, {.edns = false, .octets_max = 512});
  EXPECT_EQ(without.octets.size(), 33U);
  EXPECT_EQ(finish(answer, {.octets_max = 65'535}).message.records.size(), 2U);
}

TEST(Response, TheLimitFollowsTransportAndEdns) {
  const auto edns = [](std::uint16_t octets) {
    return QueryEdns{.present = true, .udp_octets = octets};
  };
  EXPECT_EQ(response_octets_max({}, true), 512);
  EXPECT_EQ(response_octets_max(edns(512), true), 512);
  EXPECT_EQ(response_octets_max(edns(1'000), true), 1'000);
  EXPECT_EQ(response_octets_max(edns(4'096), true), 1'232);
  EXPECT_EQ(response_octets_max({}, false), 65'535);
  EXPECT_EQ(response_octets_max(edns(512), false), 65'535);
}

Octets local(const LocalAnswer& answer, const Asker& to) {
  Octets buffer(to.octets_max, 0xEE);
  buffer.resize(write_local_response(answer, to, buffer));
  return buffer;
}

TEST(LocalResponse, AnswersWithCodeAndReason) {
  const Octets written =
      local({.rcode = rcode::refused, .ede_code = ede::prohibited, .ede_text = "not allowed"},
            asker({.flags = 0x0130}));
  const auto message = naive_message(written);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->flags, 0x8195U);  // QR, RD, RA, CD, REFUSED; AD is not ours to give
  EXPECT_EQ(message->qname, (test::Labels{"wWw", "Example", "com"}));
  EXPECT_EQ(naive_option(*message, 15), std::string("\0\x12not allowed", 13));
  const Octets bare = local({.rcode = rcode::servfail}, asker({.edns = false}));
  EXPECT_EQ(bare.size(), 33U);
}

TEST(LocalResponse, BadversNeedsOpt) {
  const auto message =
      naive_message(local({.rcode = rcode::badvers}, asker({.opt_ttl = 0x0001'0000})));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->flags & 0xFU, 0U);
  EXPECT_EQ(message->records.at(0).ttl, 0x0100'0000U);  // extended RCODE 1, version 0
}

TEST(LocalResponse, EchoesOpcodeAndNoQuestionIfNoneWasRead) {
  Query query;
  const Octets update = test::header({.flags = 0x7900, .questions = 0});
  ASSERT_EQ(parse_query(update, query), Verdict::notimp);
  const Octets written = local({.rcode = rcode::notimp}, Asker::of(query, 512));
  EXPECT_EQ(written, test::header({.flags = 0xF984, .questions = 0}));
}

TEST(LocalResponse, CarriesRecords) {
  const Octets answers = join({address(1), address(2)});
  const Octets soa = record(to_qname, 6, 60, join({octets({0, 0}), Octets(20, 0)}));
  const LocalAnswer both = {
      .answer_records = answers, .answer_count = 2, .authority_records = soa, .authority_count = 1};
  const auto message = naive_message(local(both, asker({})));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->count(0), 2U);
  EXPECT_EQ(message->count(1), 1U);
  EXPECT_EQ(message->count(2), 1U);
  EXPECT_EQ(message->flags, 0x8180U);
}

TEST(LocalResponse, CutsRecordsThatDoNotFit) {
  const Octets answer = record(to_qname, 16, 60, Octets(600, 1));
  const auto message = naive_message(
      local({.answer_records = answer, .answer_count = 1}, asker({.octets_max = 512})));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->flags, 0x8380U);
  EXPECT_EQ(message->count(0), 0U);
  EXPECT_EQ(message->count(2), 1U);
}

TEST(LocalResponse, PadsOnEncryptedTransports) {
  const Client wants = {.options = option(12, {}), .octets_max = 65'535, .padding_block = 468};
  EXPECT_EQ(local({.rcode = rcode::servfail, .ede_code = 22}, asker(wants)).size(), 468U);
}

}  // namespace
}  // namespace sotto
