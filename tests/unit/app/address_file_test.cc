#include "app/address_file.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

const HostAddresses some = {
    {"dns.example", {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::1")}},
    {"other.example", {*IpAddress::parse("198.51.100.7")}},
};
const std::string text =
    "sotto addresses 1\n"
    "dns.example 192.0.2.1 2001:db8::1\n"
    "other.example 198.51.100.7\n"
    "end 2\n";

TEST(AddressFile, ReadsWhatItWrote) {
  EXPECT_EQ(encode_addresses(some), text);
  EXPECT_EQ(decode_addresses(text), some);
  EXPECT_EQ(decode_addresses(encode_addresses({})), HostAddresses{});
}

TEST(AddressFile, CutShortItIsNotUsed) {
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decode_addresses(std::string_view(text).substr(0, size))) << size;
  }
}

struct FaultCase {
  const char* reason;
  std::string text;
  Error error;
};

TEST(AddressFile, IsRefusedForAReason) {
  const std::string head = "sotto addresses 1\n";
  const FaultCase cases[] = {
      {"another program's", "addresses 1\nend 0\n", Error::foreign_file},
      {"version 2", "sotto addresses 2\nend 0\n", Error::other_version},
      {"a host without an address", head + "dns.example\nend 1\n", Error::damaged_file},
      {"… but a space", head + "dns.example \nend 1\n", Error::damaged_file},
      {"no address", head + "dns.example 192.0.2.256\nend 1\n", Error::damaged_file},
      {"an address to nowhere", head + "dns.example 0.0.0.0\nend 1\n", Error::damaged_file},
      {"two spaces", head + "dns.example  192.0.2.1\nend 1\n", Error::damaged_file},
      {"no host name", head + "dns!example 192.0.2.1\nend 1\n", Error::damaged_file},
      {"a host twice", head + "a.example 192.0.2.1\na.example 192.0.2.1\nend 1\n",
       Error::damaged_file},
      {"miscounted", head + "dns.example 192.0.2.1\nend 2\n", Error::damaged_file},
      {"something behind the end", head + "end 0\n\n", Error::damaged_file},
      {"line ends of others", "sotto addresses 1\r\nend 0\r\n", Error::other_version},
  };
  for (const FaultCase& each : cases) {
    const auto decoded = decode_addresses(each.text);
    ASSERT_FALSE(decoded) << each.reason;
    EXPECT_EQ(decoded.error(), each.error) << each.reason;
  }
  std::string many = head + "dns.example";
  for (int i = 0; i < 33; ++i) many += " 192.0.2.1";
  EXPECT_FALSE(decode_addresses(many + "\nend 1\n")) << "more than are ever used";
}

}  // namespace
}  // namespace sotto
