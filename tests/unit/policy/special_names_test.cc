#include "policy/special_names.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "dns/name.h"
#include "dns/wire.h"
#include "policy/special_zones.h"

namespace sotto {
namespace {

constexpr std::uint16_t ds = 43;
constexpr std::uint16_t svcb = 64;
constexpr std::uint16_t chaos = 3;

// What an answer says, in text: "NXDOMAIN", "NODATA" with the zone of its SOA, or records.
std::string said(std::string_view name, std::uint16_t qtype, const SpecialNames& names = {}) {
  const Name qname = name_from_text(name).value();
  SpecialAnswer answer;
  if (!names.answer(qname.octets(), qtype, rclass::in, answer)) return "forward";
  EXPECT_TRUE(names.may_answer(qname.octets())) << name;
  const LocalAnswer local = answer.local();

  // As a client would see it: the question, then the records.
  std::vector<std::uint8_t> message(header_octets, 0);
  message.insert(message.end(), qname.octets().begin(), qname.octets().end());
  message.insert(message.end(), 4, 0);
  const std::size_t records_at = message.size();
  for (const auto& records : {local.answer_records, local.authority_records}) {
    message.insert(message.end(), records.begin(), records.end());
  }
  WireReader reader(message, records_at);
  std::string text = local.rcode == rcode::nxdomain ? "NXDOMAIN" : "";
  if (local.rcode == rcode::noerror && local.answer_count == 0) text = "NODATA";
  for (unsigned i = 0; i < local.answer_count + local.authority_count + 0U; ++i) {
    const std::string owner = name_to_text(read_name(reader, message).value().octets());
    const std::uint16_t type = reader.take16();
    EXPECT_EQ(reader.take16(), rclass::in);
    EXPECT_EQ(reader.take32(), 10'800U);
    const std::uint16_t rdata_octets = reader.take16();
    const std::size_t rdata_end = reader.position() + rdata_octets;
    text += (text.empty() ? "" : " ") + owner;
    if (type == rtype::soa) {
      const auto primary = read_name(reader, message);
      EXPECT_EQ(name_to_text(primary.value().octets()), owner);
      EXPECT_EQ(name_to_text(read_name(reader, message).value().octets()), "nobody.invalid.");
      reader.take(16);
      EXPECT_EQ(reader.take32(), 10'800U) << "MINIMUM";
      text += "/SOA";
    } else if (type == rtype::ns || type == rtype::ptr) {
      text += type == rtype::ns ? "/NS=" : "/PTR=";
      text += name_to_text(read_name(reader, message).value().octets());
    } else {
      text += "/" + std::to_string(type);
      for (const std::uint8_t octet : reader.take(rdata_octets))
        text += "." + std::to_string(octet);
    }
    EXPECT_EQ(reader.position(), rdata_end);
  }
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.left(), 0U);
  return text;
}

constexpr const char* loopback_v6 =
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa";

struct SaidCase {
  const char* reason;
  std::string name;
  std::uint16_t qtype;
  std::string expected;
};

void expect_said(const std::vector<SaidCase>& cases) {
  for (const SaidCase& row : cases) {
    EXPECT_EQ(said(row.name, row.qtype), row.expected) << row.reason << ": " << row.name;
  }
}

TEST(SpecialNames, NamesForUse) {
  const std::string a6 = "28.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1";
  expect_said({
      {"RFC 6761 §6.3", "localhost", rtype::a, "localhost./1.127.0.0.1"},
      {"RFC 6761 §6.3", "localhost", rtype::aaaa, "localhost./" + a6},
      {"names below it too", "a.B.localhost", rtype::a, "a.B.localhost./1.127.0.0.1"},
      {"any case, spelled as asked", "LocalHost", rtype::a, "LocalHost./1.127.0.0.1"},
      {"both addresses", "localhost", rtype::any, "localhost./1.127.0.0.1 localhost./" + a6},
      {"no other data", "x.localhost", rtype::mx, "NODATA localhost./SOA"},
      {"not a label boundary", "mylocalhost", rtype::a, "forward"},
      {"not the last label", "localhost.example", rtype::a, "forward"},
      {"RFC 6761 §6.4", "invalid", rtype::a, "NXDOMAIN invalid./SOA"},
      {"RFC 6761 §6.4", "www.Invalid", rtype::txt, "NXDOMAIN Invalid./SOA"},
      {"RFC 7686 §2", "x.onion", rtype::aaaa, "NXDOMAIN onion./SOA"},
      {"RFC 6761 §6.2", "x.test", rtype::a, "NXDOMAIN test./SOA"},
      {"not test", "x.latest", rtype::a, "forward"},
      {"a letter like it", "x.net", rtype::a, "forward"},
      {"an ordinary name", "www.example.com", rtype::a, "forward"},
      {"the root", ".", rtype::ns, "forward"},
      {"a country", "example.de", rtype::a, "forward"},
  });
}

TEST(SpecialNames, ReverseZones) {
  const std::string v6 = loopback_v6;
  expect_said({
      {"RFC 6303 §4.1", "1.2.3.10.in-addr.arpa", rtype::ptr, "NXDOMAIN 10.in-addr.arpa./SOA"},
      {"the top of a zone: no data", "10.in-addr.arpa", rtype::a, "NODATA 10.in-addr.arpa./SOA"},
      {"the top of a zone: RFC 6303 §3", "10.in-addr.arpa", rtype::soa, "10.in-addr.arpa./SOA"},
      {"the top of a zone: RFC 6303 §3", "10.in-addr.arpa", rtype::ns,
       "10.in-addr.arpa./NS=10.in-addr.arpa."},
      {"the top of a zone: both", "10.IN-ADDR.arpa", rtype::any,
       "10.IN-ADDR.arpa./SOA 10.IN-ADDR.arpa./NS=10.IN-ADDR.arpa."},
      {"the parent can prove that the zone is not signed", "10.in-addr.arpa", ds, "forward"},
      {"only for the zone itself", "1.10.in-addr.arpa", ds, "NXDOMAIN 10.in-addr.arpa./SOA"},
      {"a neighbour", "11.in-addr.arpa", rtype::ptr, "forward"},
      {"a label that ends like it", "110.in-addr.arpa", rtype::ptr, "forward"},
      {"before a run", "1.1.15.172.in-addr.arpa", rtype::ptr, "forward"},
      {"a run's first", "1.1.16.172.in-addr.arpa", rtype::ptr, "NXDOMAIN 16.172.in-addr.arpa./SOA"},
      {"a run's last", "1.1.31.172.in-addr.arpa", rtype::ptr, "NXDOMAIN 31.172.in-addr.arpa./SOA"},
      {"behind a run", "1.1.32.172.in-addr.arpa", rtype::ptr, "forward"},
      {"a run's parent is not special", "172.in-addr.arpa", rtype::soa, "forward"},
      {"no canonical number", "016.172.in-addr.arpa", rtype::ptr, "forward"},
      {"no number", "1x.172.in-addr.arpa", rtype::ptr, "forward"},
      {"RFC 7793", "1.1.64.100.in-addr.arpa", rtype::ptr, "NXDOMAIN 64.100.in-addr.arpa./SOA"},
      {"RFC 7793", "127.100.in-addr.arpa", rtype::soa, "127.100.in-addr.arpa./SOA"},
      {"public", "1.1.63.100.in-addr.arpa", rtype::ptr, "forward"},
      {"RFC 6303 §4.1", "5.1.168.192.in-addr.arpa", rtype::ptr,
       "NXDOMAIN 168.192.in-addr.arpa./SOA"},
      {"the name of loopback", "1.0.0.127.in-addr.arpa", rtype::ptr,
       "1.0.0.127.in-addr.arpa./PTR=localhost."},
      {"no other data", "1.0.0.127.in-addr.arpa", rtype::a, "NODATA 127.in-addr.arpa./SOA"},
      {"RFC 8020: names above an existing one exist", "0.127.IN-addr.arpa", rtype::ptr,
       "NODATA 127.IN-addr.arpa./SOA"},
      {"another loopback address", "2.0.0.127.in-addr.arpa", rtype::ptr,
       "NXDOMAIN 127.in-addr.arpa./SOA"},
      {"below the name of loopback", "x.1.0.0.127.in-addr.arpa", rtype::ptr,
       "NXDOMAIN 127.in-addr.arpa./SOA"},
      {"broadcast", "255.255.255.255.in-addr.arpa", rtype::ptr,
       "NODATA 255.255.255.255.in-addr.arpa./SOA"},
      {"all of RFC 6303 §4.2", "1.113.0.203.in-addr.arpa", rtype::ptr,
       "NXDOMAIN 113.0.203.in-addr.arpa./SOA"},
      {"the IPv6 name of loopback", v6, rtype::ptr, v6 + "./PTR=localhost."},
      {"with its zone", v6, rtype::any,
       v6 + "./PTR=localhost. " + v6 + "./SOA " + v6 + "./NS=" + v6 + "."},
      {"the unspecified address", "0" + v6.substr(1), rtype::ptr,
       "NODATA 0" + v6.substr(1) + "./SOA"},
      {"unique local", "1.2.D.F.ip6.arpa", rtype::ptr, "NXDOMAIN D.F.ip6.arpa./SOA"},
      {"not yet assigned", "1.2.c.f.ip6.arpa", rtype::ptr, "forward"},
      {"link-local", "0.b.e.f.ip6.arpa", rtype::ptr, "NXDOMAIN b.e.f.ip6.arpa./SOA"},
      {"documentation", "0.8.b.d.0.1.0.0.2.ip6.arpa", rtype::ptr,
       "NXDOMAIN 8.b.d.0.1.0.0.2.ip6.arpa./SOA"},
      {"public", "0.0.7.4.6.0.6.2.ip6.arpa", rtype::ptr, "forward"},
  });
}

TEST(SpecialNames, OtherNamesUnderArpa) {
  expect_said({
      {"RFC 8375 §4", "printer.home.arpa", rtype::a, "NXDOMAIN home.arpa./SOA"},
      {"RFC 8375 §4", "home.arpa", rtype::ns, "home.arpa./NS=home.arpa."},
      {"RFC 8375 §4: DS is the exception", "home.arpa", ds, "forward"},
      {"RFC 9462 §6.4", "_dns.resolver.arpa", svcb, "NODATA resolver.arpa./SOA"},
      {"RFC 9462 §6.4", "x.y.resolver.arpa", rtype::a, "NODATA resolver.arpa./SOA"},
      {"RFC 9462 §6.4", "resolver.arpa", rtype::a, "NODATA resolver.arpa./SOA"},
      {"never forwarded", "resolver.arpa", ds, "NODATA resolver.arpa./SOA"},
      {"a label boundary inside arpa", "myhome.arpa", rtype::a, "forward"},
      {"arpa itself", "arpa", rtype::ns, "forward"},
  });
}

TEST(SpecialNames, EveryZoneOfTheTable) {
  const auto check = [](const SpecialZone& zone) {
    std::vector<std::uint8_t> name(zone.name.span().begin(), zone.name.span().end());
    ASSERT_EQ(plain_name_octets(name), name.size());
    if (zone.is_run()) {
      const std::string number = std::to_string(zone.last);
      name.insert(name.begin(), number.begin(), number.end());
      name.insert(name.begin(), static_cast<std::uint8_t>(number.size()));
    }
    const std::string top = name_to_text(name);
    EXPECT_NE(said(top, rtype::a), "forward") << top;
    EXPECT_NE(said("x." + top, rtype::a), "forward") << top;
    EXPECT_EQ(said("x" + top, rtype::a), "forward") << "x" << top;
  };
  for (const SpecialZone& zone : in_addr_arpa_zones) check(zone);
  for (const SpecialZone& zone : ip6_arpa_zones) check(zone);
  for (const SpecialZone& zone : other_arpa_zones) check(zone);
}

// Octets that look like the end of a special name but lie inside a longer label.
TEST(SpecialNames, LabelsThatContainLengthOctets) {
  SpecialAnswer answer;
  for (const char* hidden : {"\x0clocal\x09localhost",
                             "\x0b"
                             "evil\x07invalid"}) {
    const std::string_view text(hidden);
    std::vector<std::uint8_t> name(text.begin(), text.end());
    name[0] = static_cast<std::uint8_t>(text.size() - 1);
    name.push_back(0);
    ASSERT_EQ(plain_name_octets(name), name.size());
    EXPECT_FALSE(SpecialNames().answer(name, rtype::a, rclass::in, answer));
  }
}

TEST(SpecialNames, LongestName) {
  std::vector<std::uint8_t> name;
  for (int i = 0; i < 120; ++i) name.insert(name.end(), {1, 'a'});
  const std::string_view zone("\x09localhost");
  name.insert(name.end(), zone.begin(), zone.end());
  name.push_back(0);
  name.insert(name.begin(), {3, 'a', 'a', 'a'});
  ASSERT_EQ(name.size(), name_octets_max);
  SpecialAnswer answer;
  ASSERT_TRUE(SpecialNames().answer(name, rtype::mx, rclass::in, answer));
  EXPECT_EQ(load16(answer.local().authority_records.data()), 0xC000U | (header_octets + 244));
}

TEST(SpecialNames, TestIsSwitchable) {
  const SpecialNames names(SpecialNames::Options{.test = false});
  EXPECT_EQ(said("x.test", rtype::a, names), "forward");
  EXPECT_EQ(said("localhost", rtype::a, names), "localhost./1.127.0.0.1");
}

TEST(SpecialNames, OnlyClassIn) {
  SpecialAnswer answer;
  const Name name = name_from_text("localhost").value();
  EXPECT_FALSE(SpecialNames().answer(name.octets(), rtype::a, chaos, answer));
}

}  // namespace
}  // namespace sotto
