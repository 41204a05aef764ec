#include "policy/networks.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace sotto {
namespace {

std::vector<std::uint8_t> address(const std::string& text) {
  std::vector<std::uint8_t> octets(16);
  if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1) {
    octets.resize(4);
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), octets.data()), 1) << text;
  }
  return octets;
}

TEST(Network, ParsesAndPrints) {
  struct Row {
    const char* text;
    const char* printed;  // null: refused
  };
  const Row rows[] = {
      {"10.0.0.0/8", "10.0.0.0/8"},
      {"192.0.2.1", "192.0.2.1/32"},
      {"0.0.0.0/0", "0.0.0.0/0"},
      {"::/0", "::/0"},
      {"2001:DB8::/32", "2001:db8::/32"},
      {"2001:db8::1", "2001:db8::1/128"},
      {"::ffff:10.0.0.0/104", "10.0.0.0/8"},  // the same clients
      {"::ffff:0:0/96", "0.0.0.0/0"},
      {"172.16.0.0/12", "172.16.0.0/12"},
      {"10.0.0.1/8", nullptr},  // a bit behind the prefix is set
      {"172.24.0.0/12", nullptr},
      {"128.0.0.0/0", nullptr},
      {"10.0.0.0/33", nullptr},
      {"::/129", nullptr},
      {"::ffff:10.0.0.1/104", nullptr},
      {"::ffff:0:0/90", nullptr},
      {"10.0.0.0/", nullptr},
      {"10.0.0.0/08x", nullptr},
      {"10.0.0.0/-1", nullptr},
      {"10.0.0.0/256", nullptr},
      {"10.0.0/8", nullptr},
      {"/8", nullptr},
      {"", nullptr},
      {"example", nullptr},
      {"fe80::%lo/64", nullptr},
  };
  for (const Row& row : rows) {
    const auto network = Network::parse(row.text);
    ASSERT_EQ(network.has_value(), row.printed != nullptr) << row.text;
    if (network) {
      EXPECT_EQ(network->text(), row.printed);
    }
  }
}

TEST(Network, Contains) {
  struct Row {
    const char* network;
    const char* address;
    bool inside;
  };
  const Row rows[] = {
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"172.16.0.0/12", "172.31.255.255", true},
      {"172.16.0.0/12", "172.32.0.0", false},
      {"172.16.0.0/12", "172.15.255.255", false},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.0", false},
      {"0.0.0.0/0", "255.255.255.255", true},
      {"0.0.0.0/0", "::", false},  // families never match each other
      {"::/0", "1.2.3.4", false},
      {"::/0", "ffff::", true},
      {"fc00::/7", "fdff::1", true},
      {"fc00::/7", "fe00::", false},
      {"::1/128", "::1", true},
      {"::1/128", "::2", false},
      {"2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", true},
      {"2001:db8::/64", "2001:db8:0:1::", false},
      {"2001:db8::/65", "2001:db8::7fff:ffff:ffff:ffff", true},
      {"2001:db8::/65", "2001:db8::8000:0:0:0", false},
      {"2001:db8::a:0:0/96", "2001:db8::a:ffff:ffff", true},
      {"2001:db8::a:0:0/96", "2001:db8::b:0:0", false},
      {"2001:db8::2/127", "2001:db8::3", true},
      {"2001:db8::2/127", "2001:db8::4", false},
  };
  for (const Row& row : rows) {
    const auto octets = address(row.address);
    EXPECT_EQ(Network::parse(row.network).value().contains(AddressWords(octets)), row.inside)
        << row.network << " " << row.address;
  }
}

TEST(Network, LocalNetworksAreNoOpenResolver) {
  for (const char* text : {"127.0.0.1", "127.255.255.255", "10.1.2.3", "172.16.0.1", "192.168.1.1",
                           "169.254.1.1", "::1", "fd00::1", "fe80::1"}) {
    EXPECT_TRUE(any_contains(local_networks(), address(text))) << text;
  }
  for (const char* text :
       {"126.255.255.255", "128.0.0.0", "9.9.9.9", "172.32.0.1", "192.167.255.255", "0.0.0.0",
        "::", "::2", "2001:db8::1", "fbff::1", "fec0::1"}) {
    EXPECT_FALSE(any_contains(local_networks(), address(text))) << text;
  }
  EXPECT_FALSE(any_contains({}, address("127.0.0.1")));
}

}  // namespace
}  // namespace sotto
