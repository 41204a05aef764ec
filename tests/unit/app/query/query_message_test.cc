#include "app/query/query_message.h"

#include <gtest/gtest.h>

#include "app/query/message_text.h"
#include "dns/query.h"

namespace sotto {
namespace {

using Transport = QueryServer::Transport;

QueryOptions options_of(const char* name) {
  QueryOptions options;
  options.qname = *name_from_text(name);
  options.qtype = rtype::aaaa;
  return options;
}

TEST(QueryMessage, IsWhatTheOptionsSay) {
  QueryOptions options = options_of("WwW.example");
  options.dnssec = true;
  options.checking_disabled = true;
  const auto octets = query_message(options, 0x1234, Transport::tcp);
  Query query;
  ASSERT_EQ(parse_query(octets, query), Verdict::accept);
  EXPECT_EQ(query.id, 0x1234);
  EXPECT_EQ(name_to_text(query.qname), "WwW.example.") << "the spelling is the user's";
  EXPECT_EQ(query.qtype, rtype::aaaa);
  EXPECT_TRUE(query.recursion_desired() && query.checking_disabled());
  EXPECT_TRUE(query.edns.dnssec_ok && query.edns.keepalive);
  EXPECT_FALSE(query.edns.padding);
  EXPECT_EQ(query.edns.udp_octets, edns_udp_octets_max);

  options.edns = false;
  options.recursion_desired = false;
  const auto plain = query_message(options, 1, Transport::udp);
  ASSERT_EQ(parse_query(plain, query), Verdict::accept);
  EXPECT_FALSE(query.edns.present || query.recursion_desired());
}

TEST(QueryMessage, IsPaddedOverTlsWhateverTheName) {
  std::string name = "a";
  for (int length = 1; length < 120; ++length) {
    const auto octets = query_message(options_of(name.c_str()), 1, Transport::tls);
    EXPECT_EQ(octets.size() % query_padding_block, 0U) << name;
    Query query;
    EXPECT_EQ(parse_query(octets, query), Verdict::accept);
    EXPECT_TRUE(query.edns.padding);
    name += length % 60 == 0 ? ".b" : "a";
  }
}

TEST(QueryMessage, OnlyItsAnswerIsAccepted) {
  const auto query = query_message(options_of("www.example"), 0x1234, Transport::udp);
  auto response = query;
  response[2] |= 0x80U;
  ASSERT_TRUE(answers(response, query));
  const std::size_t name = header_octets;
  struct Case {
    const char* reason;
    std::size_t at;
    std::uint8_t flip;
    bool accepted;
  };
  const Case cases[] = {
      {"another ID", 1, 1, false},
      {"not a response", 2, 0x80, false},
      {"another name", name + 1, 1, false},
      {"another spelling", name + 1, 0x20, true},
      {"a pointer in the question", name, 0xC0, false},
      {"another type", name + 13 + 1, 1, false},
      {"another class", name + 13 + 3, 1, false},
      {"two questions", 5, 3, false},
      {"no question and no error", 5, 1, false},
  };
  for (const Case& c : cases) {
    auto changed = response;
    changed[c.at] = static_cast<std::uint8_t>(changed[c.at] ^ c.flip);
    EXPECT_EQ(answers(changed, query), c.accepted) << c.reason;
  }
  for (std::size_t size = 0; size < header_octets + 13 + 4; ++size) {
    EXPECT_FALSE(answers(std::span(response).first(size), query)) << size;
  }
  auto formerr = std::vector<std::uint8_t>(response.begin(), response.begin() + header_octets);
  formerr[3] |= 1U;
  formerr[5] = 0;
  EXPECT_TRUE(answers(formerr, query)) << "FORMERR without the question";
}

}  // namespace
}  // namespace sotto
