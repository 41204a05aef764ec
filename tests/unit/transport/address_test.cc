#include "transport/address.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(IpAddress, KnowsWhereItIsGood) {
  const auto kind = [](const char* text) {
    const IpAddress address = *IpAddress::parse(text);
    return std::string(address.is_loopback() ? "loopback" : "") +
           (address.is_link_local() ? "link" : "");
  };
  EXPECT_EQ(kind("127.0.0.1"), "loopback");
  EXPECT_EQ(kind("127.255.255.255"), "loopback");
  EXPECT_EQ(kind("::1"), "loopback");
  EXPECT_EQ(kind("169.254.0.1"), "link");
  EXPECT_EQ(kind("fe80::1"), "link");
  EXPECT_EQ(kind("febf::1"), "link");
  for (const char* elsewhere : {"126.0.0.1", "128.0.0.1", "169.253.0.1", "::", "::2", "fec0::1",
                                "ff02::1", "0.0.0.0", "2001:db8::1"}) {
    EXPECT_EQ(kind(elsewhere), "") << elsewhere;
  }
}

TEST(IpAddress, ParsesAndPrints) {
  struct Row {
    const char* text;
    const char* printed;  // null: refused
  };
  const Row rows[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"::", "::"},
      {"::1", "::1"},
      {"2001:DB8:0:0::1", "2001:db8::1"},
      {"::ffff:192.0.2.1", "192.0.2.1"},  // one host, one form
      {"::ffff:c000:201", "192.0.2.1"},
      {"fe80::1", "fe80::1"},
      {"fe80::1%lo", "fe80::1%lo"},
      {"fe80::1%1", "fe80::1%lo"},  // the loopback interface is always the first
      {"fe80::1%4000000", "fe80::1%4000000"},
      {"fe80::1%", nullptr},
      {"fe80::1%0", nullptr},
      {"fe80::1%no-such-interface", nullptr},
      {"fe80::1%no-such0", nullptr},
      {"2001:db8::1%lo", nullptr},  // only link-local addresses have a scope
      {"192.0.2.1%lo", nullptr},
      {"192.0.2", nullptr},
      {"192.0.2.256", nullptr},
      {"192.0.2.1 ", nullptr},
      {" 192.0.2.1", nullptr},
      {"1::2::3", nullptr},
      {"[::1]", nullptr},
      {"localhost", nullptr},
      {"", nullptr},
      {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", nullptr},
  };
  for (const Row& row : rows) {
    const auto ip = IpAddress::parse(row.text);
    ASSERT_EQ(ip.has_value(), row.printed != nullptr) << row.text;
    if (!ip) {
      EXPECT_EQ(ip.error(), Error::bad_address);
      continue;
    }
    EXPECT_EQ(ip->text(), row.printed);
    EXPECT_EQ(ip->octets().size(), ip->is_v4() ? 4U : 16U);
    EXPECT_EQ(IpAddress::parse(ip->text()).value(), *ip);
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("192.0.2.1\0", 10)));
}

TEST(IpAddress, MappedIsV4AndScopesAreForLinkLocal) {
  std::array<std::uint8_t, 16> octets = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1};
  EXPECT_EQ(IpAddress::v6(octets, 7), IpAddress::parse("192.0.2.1").value());
  octets[10] = 0;
  octets[11] = 0;
  EXPECT_EQ(IpAddress::v6(octets, 7).scope(), 0U);
  octets[0] = 0xFE;
  octets[1] = 0x80;
  EXPECT_EQ(IpAddress::v6(octets, 7).scope(), 7U);
  EXPECT_NE(IpAddress::v6(octets, 7), IpAddress::v6(octets, 8));
}

TEST(IpAddress, Unspecified) {
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_TRUE(IpAddress::parse("::").value().is_unspecified());
  EXPECT_FALSE(IpAddress::parse("0.0.0.1").value().is_unspecified());
  EXPECT_NE(IpAddress(), IpAddress::parse("::").value());
}

TEST(SocketAddress, ParsesAndPrints) {
  struct Row {
    const char* text;
    std::uint16_t default_port;
    const char* printed;  // null: refused
  };
  const Row rows[] = {
      {"192.0.2.1:53", 0, "192.0.2.1:53"},
      {"[2001:db8::1]:53", 0, "[2001:db8::1]:53"},
      {"[::ffff:192.0.2.1]:53", 0, "192.0.2.1:53"},
      {"[fe80::1%lo]:53", 0, "[fe80::1%lo]:53"},
      {"192.0.2.1", 853, "192.0.2.1:853"},
      {"[::1]", 853, "[::1]:853"},
      {"::1", 853, "[::1]:853"},  // without brackets there is no port
      {"2001:db8::1:53", 853, "[2001:db8::1:53]:853"},
      {"192.0.2.1:65535", 853, "192.0.2.1:65535"},
      {"127.0.0.1:0", 0, "127.0.0.1:0"},  // any free port; whoever connects refuses it
      {"192.0.2.1", 0, nullptr},          // a port is demanded
      {"::1", 0, nullptr},
      {"[::1]", 0, nullptr},
      {"192.0.2.1:", 853, nullptr},
      {"192.0.2.1:65536", 853, nullptr},
      {"192.0.2.1:+53", 853, nullptr},
      {"192.0.2.1: 53", 853, nullptr},
      {"192.0.2.1:53x", 853, nullptr},
      {"192.0.2.1:-1", 853, nullptr},
      {"[192.0.2.1]:53", 853, nullptr},  // brackets are for IPv6
      {"[::1:53", 853, nullptr},
      {"[::1]53", 853, nullptr},
      {"[::1]:", 853, nullptr},
      {"[]:53", 853, nullptr},
      {":53", 853, nullptr},
      {"localhost:53", 853, nullptr},
      {"", 853, nullptr},
  };
  for (const Row& row : rows) {
    const auto address = SocketAddress::parse(row.text, row.default_port);
    ASSERT_EQ(address.has_value(), row.printed != nullptr) << row.text;
    if (address) {
      EXPECT_EQ(address->text(), row.printed);
    }
  }
}

}  // namespace
}  // namespace sotto
