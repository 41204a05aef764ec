#include "policy/designated_resolver.h"

#include <gtest/gtest.h>
#include <string>

#include "../dns/make_message.h"
#include "policy/special_names.h"

namespace sotto {
namespace {

using test::join;
using test::octets;
using test::Octets;
using test::octets16;
using test::octets_of;
using test::wire;

constexpr std::uint16_t svcb = 64;
constexpr std::uint16_t https = 65;

const Octets v4_octets = octets({192, 0, 2, 1});
const Octets v6_octets = octets({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

Designation::Addresses both_families() {
  return {.v4 = {{192, 0, 2, 1}},
          .v6 = {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}};
}

Designation designation() {
  return {.name = *name_from_text("dns.example"),
          .endpoints = {{.is_https = false, .port = 853, .path = "", .addresses = both_families()},
                        {.is_https = true,
                         .port = 8'443,
                         .path = "/q",
                         .addresses = {.v4 = {{192, 0, 2, 1}}, .v6 = {}}}},
          .addresses = both_families()};
}

// Owner, type, class IN, 300 s, and the data behind its length.
Octets record(std::uint8_t owner_offset, std::uint16_t type, const Octets& rdata) {
  return join({octets({0xC0, 12U + owner_offset}), octets16(type), octets({0, 1, 0, 0, 1, 0x2C}),
               octets16(static_cast<unsigned>(rdata.size())), rdata});
}

Octets soa(std::uint8_t name_offset) {
  return record(name_offset, rtype::soa,
                join({octets({0xC0, 12U + name_offset}), wire("nobody.invalid"),
                      octets({0,    0,    0, 1,    0,    0,    0x0E, 0x10, 0, 0,
                              0x04, 0xB0, 0, 0x09, 0x3A, 0x80, 0,    0,    1, 0x2C})}));
}

// RFC 9460 §2.2: priority, target, then parameters in the order of their keys.
const Octets dot_service =
    join({octets({0, 1}), wire("dns.example"), octets({0, 1, 0, 4, 3}), octets_of("dot"),
          octets({0, 4, 0, 4}), v4_octets, octets({0, 6, 0, 16}), v6_octets});
const Octets doh_service =
    join({octets({0, 2}), wire("dns.example"), octets({0, 1, 0, 3, 2}), octets_of("h2"),
          octets({0, 3, 0, 2, 0x20, 0xFB}), octets({0, 4, 0, 4}), v4_octets, octets({0, 7, 0, 8}),
          octets_of("/q{?dns}")});

struct Said {
  bool ours = false;
  Octets answers;
  unsigned answer_count = 0;
  Octets authority;
  unsigned authority_count = 0;
};

Said ask(const DesignatedResolver& resolver, std::string_view name, std::uint16_t qtype) {
  const LocalAnswer* answer = resolver.answer(wire(name), qtype);
  if (answer == nullptr) return {};
  EXPECT_EQ(answer->rcode, rcode::noerror);
  return {.ours = true,
          .answers = {answer->answer_records.begin(), answer->answer_records.end()},
          .answer_count = answer->answer_count,
          .authority = {answer->authority_records.begin(), answer->authority_records.end()},
          .authority_count = answer->authority_count};
}

void expect_answers(const Said& said, unsigned count, const Octets& records) {
  EXPECT_TRUE(said.ours);
  EXPECT_EQ(said.answer_count, count);
  EXPECT_EQ(said.answers, records);
  EXPECT_EQ(said.authority_count, 0U);
  EXPECT_TRUE(said.authority.empty());
}

void expect_no_data(const Said& said, const Octets& records) {
  EXPECT_TRUE(said.ours);
  EXPECT_EQ(said.answer_count, 0U);
  EXPECT_TRUE(said.answers.empty());
  EXPECT_EQ(said.authority_count, 1U);
  EXPECT_EQ(said.authority, records);
}

TEST(DesignatedResolver, OneServiceForEachTransport) {
  const DesignatedResolver resolver(designation());
  const Octets services = join({record(0, svcb, dot_service), record(0, svcb, doh_service)});
  for (const char* name :
       {"_dns.resolver.arpa", "_DNS.Resolver.ARPA", "_dns.dns.example", "_dns.DNS.example"}) {
    expect_answers(ask(resolver, name, svcb), 2, services);
    expect_answers(ask(resolver, name, rtype::any), 2, services);
  }
}

TEST(DesignatedResolver, OwnPortsAreNotSaid) {
  Designation other = designation();
  other.endpoints = {{.is_https = true, .port = 443, .path = "/dns-query", .addresses = {}}};
  const DesignatedResolver resolver(other);
  const Octets service =
      join({octets({0, 1}), wire("dns.example"), octets({0, 1, 0, 3, 2}), octets_of("h2"),
            octets({0, 7, 0, 16}), octets_of("/dns-query{?dns}")});
  expect_answers(ask(resolver, "_dns.resolver.arpa", svcb), 1, record(0, svcb, service));
  other.endpoints = {{.is_https = false, .port = 443, .path = "", .addresses = {}}};
  const Octets dot = join({octets({0, 1}), wire("dns.example"), octets({0, 1, 0, 4, 3}),
                           octets_of("dot"), octets({0, 3, 0, 2, 1, 0xBB})});
  const DesignatedResolver on_443(other);
  expect_answers(ask(on_443, "_dns.resolver.arpa", svcb), 1, record(0, svcb, dot));
}

TEST(DesignatedResolver, AddressesOfTheName) {
  const DesignatedResolver resolver(designation());
  const Octets a = record(0, rtype::a, v4_octets);
  const Octets aaaa = record(0, rtype::aaaa, v6_octets);
  expect_answers(ask(resolver, "dns.example", rtype::a), 1, a);
  expect_answers(ask(resolver, "DNS.eXample", rtype::aaaa), 1, aaaa);
  expect_answers(ask(resolver, "dns.example", rtype::any), 2, join({a, aaaa}));
}

TEST(DesignatedResolver, NoDataHasTheSoaOfTheName) {
  Designation v4_only = designation();
  v4_only.addresses.v6.clear();
  const DesignatedResolver resolver(v4_only);
  expect_no_data(ask(resolver, "dns.example", rtype::aaaa), soa(0));
  expect_no_data(ask(resolver, "dns.example", https), soa(0));
  expect_no_data(ask(resolver, "dns.example", rtype::soa), soa(0));
  expect_no_data(ask(resolver, "dns.example", svcb), soa(0));
  expect_no_data(ask(resolver, "_dns.dns.example", rtype::a), soa(5));
  expect_no_data(ask(resolver, "_dns.dns.example", https), soa(5));
}

TEST(DesignatedResolver, OtherQuestionsAreNotOurs) {
  const DesignatedResolver resolver(designation());
  for (const char* name :
       {"dns.examplf", "xns.example", "_dnt.dns.example", "adns.dns.example", "_dns.xns.example",
        "_dns.resolver.arpb", "x.resolver.arpa", "resolver.arpa", "x._dns.resolver.arpa",
        "www.example", ".", "a.dns.example", "_dns._dns.dns.example"}) {
    for (const std::uint16_t type : {rtype::a, svcb, rtype::any}) {
      EXPECT_FALSE(ask(resolver, name, type).ours) << name;
    }
  }
  EXPECT_FALSE(ask(resolver, "_dns.resolver.arpa", https).ours) << "the special zone's NODATA";
  // A label of the same octets whose length says otherwise.
  const Octets dotted = join({octets({15}), octets_of("dns.dns.example"), octets({0})});
  EXPECT_EQ(resolver.answer(dotted, svcb), nullptr);
}

TEST(DesignatedResolver, AnnouncesNoMoreAddressesThanFit) {
  Designation many = designation();
  many.name = *name_from_text(std::string(62, 'a'));
  many.addresses.v4.assign(40, {192, 0, 2, 1});
  many.addresses.v6.assign(40, both_families().v6.front());
  for (Designation::Endpoint& endpoint : many.endpoints) {
    endpoint = {.is_https = endpoint.is_https,
                .port = 8'000,
                .path = "/dns-query",
                .addresses = many.addresses};
  }
  const DesignatedResolver resolver(many);
  EXPECT_EQ(ask(resolver, std::string(62, 'a'), rtype::a).answer_count, 6U);
  EXPECT_EQ(ask(resolver, std::string(62, 'a'), rtype::aaaa).answer_count, 6U);
  const Said services = ask(resolver, "_dns.resolver.arpa", svcb);
  EXPECT_EQ(services.answer_count, 2U);
  EXPECT_LE(header_octets + 20 + 4 + services.answers.size(), plain_udp_octets_max);
}

TEST(DesignatedResolver, LongestName) {
  Octets longest;
  for (int i = 0; i < 123; ++i) longest.insert(longest.end(), {1, 'a'});
  longest.insert(longest.end(), {2, 'a', 'a', 0});
  ASSERT_EQ(longest.size(), DesignatedResolver::name_octets_max);
  Designation long_named = designation();
  long_named.name = Name::from_octets(longest);
  const DesignatedResolver resolver(long_named);
  const Octets below = join({octets({4}), octets_of("_dns"), longest});
  ASSERT_NE(resolver.answer(below, svcb), nullptr);
  EXPECT_EQ(resolver.answer(below, svcb)->answer_count, 2U);
}

// What SpecialNames makes of it.
bool says(const SpecialNames& names, std::string_view name, std::uint16_t qtype, LocalAnswer& local,
          SpecialAnswer& answer) {
  if (!names.answer(wire(name), qtype, rclass::in, answer)) return false;
  local = answer.local();
  return true;
}

TEST(DesignatedResolver, GoesBeforeSpecialZones) {
  Designation at_home = designation();
  at_home.name = *name_from_text("dns.home.arpa");
  const SpecialNames names({.designated = std::make_shared<const DesignatedResolver>(at_home)});
  SpecialAnswer answer;
  LocalAnswer local;
  ASSERT_TRUE(says(names, "dns.home.arpa", rtype::a, local, answer));
  EXPECT_EQ(local.answer_count, 1U);
  ASSERT_TRUE(says(names, "_dns.resolver.arpa", svcb, local, answer));
  EXPECT_EQ(local.answer_count, 2U);
  // The same object holds another answer next.
  ASSERT_TRUE(says(names, "printer.home.arpa", rtype::a, local, answer));
  EXPECT_EQ(local.rcode, rcode::nxdomain);
  ASSERT_TRUE(says(names, "_dns.resolver.arpa", https, local, answer));
  EXPECT_EQ(local.answer_count, 0U);
  EXPECT_EQ(local.authority_count, 1U);
  constexpr std::uint16_t chaos = 3;
  EXPECT_FALSE(names.answer(wire("dns.home.arpa"), rtype::a, chaos, answer));
}

TEST(DesignatedResolver, IsAnnouncedWithoutSpecialNamesToo) {
  const SpecialNames names(
      {.special_use = false,
       .designated = std::make_shared<const DesignatedResolver>(designation())});
  SpecialAnswer answer;
  LocalAnswer local;
  EXPECT_TRUE(says(names, "_dns.resolver.arpa", svcb, local, answer));
  EXPECT_FALSE(says(names, "_dns.resolver.arpa", https, local, answer));
  EXPECT_FALSE(says(names, "localhost", rtype::a, local, answer));
}

}  // namespace
}  // namespace sotto
