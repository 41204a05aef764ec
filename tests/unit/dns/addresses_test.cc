#include "dns/addresses.h"

#include <gtest/gtest.h>

#include "make_message.h"

namespace sotto {
namespace {

using test::join;
using test::octets;
using test::Octets;
using test::record;
using test::wire;

constexpr std::uint16_t chaos = 3;

Octets a(std::string_view owner, unsigned last, std::uint32_t ttl = 300) {
  return record(wire(owner), rtype::a, ttl, octets({192, 0, 2, last}));
}

Octets alias(std::string_view owner, std::string_view target, std::uint32_t ttl = 300) {
  return record(wire(owner), rtype::cname, ttl, wire(target));
}

struct AddressCase {
  const char* reason;
  std::uint16_t count;
  Octets records;
  std::vector<unsigned> last_octets;
  std::uint32_t ttl;
};

const AddressCase cases[] = {
    {"nothing", 0, {}, {}, 0},
    {"one", 1, a("dns.example", 1), {1}, 300},
    {"several, in their order",
     2,
     join({a("dns.example", 2, 60), a("dns.example", 1, 60)}),
     {2, 1},
     60},
    {"the name in another case", 1, a("DNS.Example", 1), {1}, 300},
    {"another owner's", 1, a("other.example", 1), {}, 0},
    {"another class's",
     1,
     record(wire("dns.example"), rtype::a, 300, octets({192, 0, 2, 1}), chaos),
     {},
     0},
    {"through a chain; its lowest TTL",
     3,
     join({alias("dns.example", "a.example", 500), alias("a.example", "b.example", 40),
           a("b.example", 7)}),
     {7},
     40},
    {"through a chain in any order",
     3,
     join({a("b.example", 7), alias("a.example", "b.example"), alias("dns.example", "a.example")}),
     {7},
     300},
    {"a chain that ends nowhere", 1, alias("dns.example", "a.example"), {}, 0},
    {"a chain that leads elsewhere",
     2,
     join({alias("dns.example", "a.example"), a("b.example", 7)}),
     {},
     0},
    {"a circle",
     2,
     join({alias("dns.example", "a.example"), alias("a.example", "dns.example")}),
     {},
     0},
};

TEST(Addresses, AreFoundThroughAliases) {
  const Question question(wire("dns.example"), rtype::a, rclass::in, {});
  for (const AddressCase& each : cases) {
    Answer answer;
    const Octets message = join({test::header({.flags = 0x8180, .answers = each.count}),
                                 test::question("dns.example", rtype::a), each.records});
    ASSERT_TRUE(rewrite_response(message, question, answer)) << each.reason;
    const AddressRecords found = find_addresses(answer, question);
    std::vector<unsigned> last_octets;
    for (const auto& address : found.addresses) {
      EXPECT_EQ(address.size(), 4U);
      last_octets.push_back(address.back());
    }
    EXPECT_EQ(last_octets, each.last_octets) << each.reason;
    EXPECT_EQ(found.ttl, each.ttl) << each.reason;
  }
}

// A chain of this many aliases.
std::size_t found_behind(unsigned links) {
  const Question question(wire("n0.example"), rtype::a, rclass::in, {});
  Octets message =
      join({test::header({.flags = 0x8180, .answers = static_cast<std::uint16_t>(links + 1)}),
            test::question("n0.example", rtype::a)});
  const auto name = [](unsigned number) { return "n" + std::to_string(number) + ".example"; };
  for (unsigned i = 0; i < links; ++i) message = join({message, alias(name(i), name(i + 1))});
  message = join({message, a(name(links), 1)});
  Answer answer;
  EXPECT_TRUE(rewrite_response(message, question, answer));
  return find_addresses(answer, question).addresses.size();
}

TEST(Addresses, ChainsAreFollowedSoFarAndNoFurther) {
  EXPECT_EQ(found_behind(alias_chain_max), 1U);
  EXPECT_EQ(found_behind(alias_chain_max + 1), 0U);
}

TEST(Addresses, OfIpv6AndOnlyFromTheAnswerSection) {
  const Question question(wire("dns.example"), rtype::aaaa, rclass::in, {});
  const Octets six = record(test::to_qname, rtype::aaaa, 300,
                            join({octets({0x20, 1, 0xD, 0xB8}), Octets(11, 0), octets({1})}));
  Answer answer;
  const auto ask = [&](const test::Header& header, const Octets& records) {
    const Octets message =
        join({test::header(header), test::question("dns.example", rtype::aaaa), records});
    EXPECT_TRUE(rewrite_response(message, question, answer));
    return find_addresses(answer, question).addresses.size();
  };
  EXPECT_EQ(ask({.flags = 0x8180, .answers = 1}, six), 1U);
  EXPECT_EQ(find_addresses(answer, question).addresses[0].size(), 16U);
  EXPECT_EQ(ask({.flags = 0x8180, .answers = 1}, test::address(1)), 0U) << "of type A";
  EXPECT_EQ(ask({.flags = 0x8180, .additionals = 1}, six), 0U) << "nobody asked for it";
}

}  // namespace
}  // namespace sotto
