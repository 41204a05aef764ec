#include "transport/proxy_header.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace sotto {
namespace {

using Kind = ProxyHeader::Kind;
using Octets = std::span<const std::uint8_t>;
using namespace std::string_literals;

ProxyHeader read(std::string_view octets) {
  return read_proxy_header({reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()});
}

struct Row {
  const char* why;
  std::string octets;
  Kind kind;
  const char* client = "";  // if proxied
};

// A row that is a header must be one whatever follows, and incomplete at every cut; one that is
// malformed must stay so, and what came before its last octet need not show it.
void check(const Row& row) {
  SCOPED_TRACE(row.why);
  const ProxyHeader header = read(row.octets);
  ASSERT_EQ(header.kind, row.kind);
  const ProxyHeader longer = read(row.octets + "PROXY and more");
  if (row.kind == Kind::malformed) {
    EXPECT_EQ(longer.kind, Kind::malformed);
    return;
  }
  EXPECT_EQ(header.octets, row.octets.size());
  EXPECT_EQ(longer.kind, row.kind);
  EXPECT_EQ(longer.octets, row.octets.size());
  if (row.kind == Kind::proxied) {
    EXPECT_EQ(header.client.text(), row.client);
    EXPECT_EQ(longer.client.text(), row.client);
  }
  for (std::size_t cut = 0; cut < row.octets.size(); ++cut) {
    EXPECT_EQ(read(row.octets.substr(0, cut)).kind, Kind::incomplete) << "cut at " << cut;
  }
}

// --- version 1

const std::string longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

TEST(ProxyHeader, ReadsLines) {
  const Row rows[] = {
      {"IPv4", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", Kind::proxied, "192.0.2.1:56324"},
      {"the shortest", "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", Kind::proxied, "0.0.0.0:0"},
      {"the longest of IPv4", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
       Kind::proxied, "255.255.255.255:65535"},
      {"IPv6", "PROXY TCP6 2001:db8::1 2001:DB8::2 1 65535\r\n", Kind::proxied, "[2001:db8::1]:1"},
      {"the longest of IPv6", "PROXY TCP6 " + longest + " " + longest + " 65535 65535\r\n",
       Kind::proxied, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
      {"an IPv4 client of a socket for both", "PROXY TCP6 ::ffff:192.0.2.1 ::1 9 53\r\n",
       Kind::proxied, "192.0.2.1:9"},
      {"unknown", "PROXY UNKNOWN\r\n", Kind::local},
      {"unknown, and something to ignore", "PROXY UNKNOWN \r\0 \n what\r\n"s, Kind::local},
      {"107 octets", "PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n", Kind::local},
  };
  for (const Row& row : rows) check(row);
}

TEST(ProxyHeader, RefusesOtherLines) {
  const Row rows[] = {
      {"no header can begin like this", "\x16", Kind::malformed},
      {"the length of a DNS message", "\0"s, Kind::malformed},
      {"HTTP/2", "PRI", Kind::malformed},
      {"small letters", "p", Kind::malformed},
      {"two blanks", "PROXY  ", Kind::malformed},
      {"no such protocol", "PROXY UDP4", Kind::malformed},
      {"no such family", "PROXY TCP5", Kind::malformed},
      {"a tab", "PROXY TCP4\t", Kind::malformed},
      {"a longer word", "PROXY UNKNOWNS", Kind::malformed},
      {"CR without LF", "PROXY UNKNOWN\rx", Kind::malformed},
      {"unknown, 107 octets and no end", "PROXY UNKNOWN " + std::string(107 - 14, 'x'),
       Kind::malformed},
      {"its end one too late", "PROXY UNKNOWN " + std::string(108 - 16, 'x') + "\r\n",
       Kind::malformed},
      {"107 octets that could go on",
       "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255 "
       "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255 1234",
       Kind::malformed},
      {"nothing behind the word", "PROXY TCP4\r\n", Kind::malformed},
      {"no address", "PROXY TCP4  ", Kind::malformed},
      {"addresses only", "PROXY TCP4 192.0.2.1 192.0.2.2\r\n", Kind::malformed},
      {"one port", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", Kind::malformed},
      {"an empty port", "PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n", Kind::malformed},
      {"a fifth field", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 ", Kind::malformed},
      {"a bare LF", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", Kind::malformed},
      {"a CR inside", "PROXY TCP4 192.0.2.1\r ", Kind::malformed},
      {"a zero octet", "PROXY TCP4 192.0.2.1\0"s, Kind::malformed},
      {"a leading zero", "PROXY TCP4 192.0.2.01 ", Kind::malformed},
      {"three parts", "PROXY TCP4 192.0.2 ", Kind::malformed},
      {"256", "PROXY TCP4 192.0.2.256 ", Kind::malformed},
      {"hexadecimal digits in IPv4", "PROXY TCP4 1a", Kind::malformed},
      {"IPv6 for IPv4", "PROXY TCP4 :", Kind::malformed},
      {"IPv4 for IPv6", "PROXY TCP6 192.0.2.1 ", Kind::malformed},
      {"too long for an address", "PROXY TCP4 1111111111111111", Kind::malformed},
      {"a scope", "PROXY TCP6 fe80::1%", Kind::malformed},
      {"two gaps", "PROXY TCP6 1::2::3 ", Kind::malformed},
      {"the destination counts too", "PROXY TCP4 192.0.2.1 192.0.2.256 ", Kind::malformed},
      {"a port with a zero in front", "PROXY TCP4 192.0.2.1 192.0.2.2 01 ", Kind::malformed},
      {"65536", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", Kind::malformed},
      {"six digits", "PROXY TCP4 192.0.2.1 192.0.2.2 123456", Kind::malformed},
      {"a sign", "PROXY TCP4 192.0.2.1 192.0.2.2 +", Kind::malformed},
  };
  for (const Row& row : rows) check(row);
}

// --- version 2

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string number(std::size_t value, int octets) {
  std::string text;
  while (octets-- > 0) text += static_cast<char>(value >> (8 * octets));
  return text;
}

// length: said, if it is not that of the block.
std::string binary(int command, int family, const std::string& block, int length = -1) {
  return signature + number(static_cast<std::size_t>(command), 1) +
         number(static_cast<std::size_t>(family), 1) +
         number(length < 0 ? block.size() : static_cast<std::size_t>(length), 2) + block;
}

std::string field(int type, const std::string& value) {
  return number(static_cast<std::size_t>(type), 1) + number(value.size(), 2) + value;
}

const std::string v4 = "\xC0\0\2\1\xC6\x33\x64\2\x12\x34\0\x35"s;
const std::string v6 =
    "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1"s + std::string(15, '\0') + "\1" + "\xFF\xFF\3\x55"s;
const std::string mapped =
    std::string(10, '\0') + "\xFF\xFF\xC0\0\2\1"s + std::string(16, '\0') + "\0\7\0\x35"s;
const std::string paths = "/run/a" + std::string(102, '\0') + "/run/b" + std::string(102, '\0');

// The sum is of the octets with zeros in its place.
std::string with_sum(int command, int family, const std::string& addresses, std::uint32_t sum) {
  return binary(command, family, addresses + field(3, number(sum, 4)));
}

TEST(ProxyHeader, ReadsBinaryHeaders) {
  const Row rows[] = {
      {"TCP over IPv4", binary(0x21, 0x11, v4), Kind::proxied, "192.0.2.1:4660"},
      {"UDP over IPv4", binary(0x21, 0x12, v4), Kind::proxied, "192.0.2.1:4660"},
      {"TCP over IPv6", binary(0x21, 0x21, v6), Kind::proxied, "[2001:db8::1]:65535"},
      {"UDP over IPv6", binary(0x21, 0x22, v6), Kind::proxied, "[2001:db8::1]:65535"},
      {"a mapped address", binary(0x21, 0x21, mapped), Kind::proxied, "192.0.2.1:7"},
      {"Unix sockets", binary(0x21, 0x31, paths), Kind::local},
      {"Unix datagrams", binary(0x21, 0x32, paths), Kind::local},
      {"nothing is known", binary(0x21, 0x00, ""), Kind::local},
      {"nothing is known, of what there is", binary(0x21, 0x00, "not fields"), Kind::local},
      {"no family, a protocol", binary(0x21, 0x01, ""), Kind::local},
      {"a family, no protocol", binary(0x21, 0x10, v4), Kind::local},
      {"the proxy itself", binary(0x20, 0x00, ""), Kind::local},
      {"the proxy itself, what else it says is skipped", binary(0x20, 0x11, v4), Kind::local},
      {"the proxy itself, of no family there is", binary(0x20, 0xFF, "?"), Kind::local},
      {"fields", binary(0x21, 0x11, v4 + field(1, "dot") + field(4, "") + field(0xEA, "vpce")),
       Kind::proxied, "192.0.2.1:4660"},
      {"as long as may be", binary(0x21, 0x12, v4 + field(4, std::string(1'024 - 31, '\0'))),
       Kind::proxied, "192.0.2.1:4660"},
      {"a sum", with_sum(0x21, 0x11, v4, 0xC762'EEEF), Kind::proxied, "192.0.2.1:4660"},
  };
  for (const Row& row : rows) {
    check(row);
    const std::string query = row.octets + "a query";
    const Octets octets(reinterpret_cast<const std::uint8_t*>(query.data()), query.size());
    EXPECT_EQ(read_datagram_proxy_header(octets).kind, row.kind) << row.why;
    EXPECT_EQ(read_datagram_proxy_header(octets).octets, row.octets.size()) << row.why;
    for (std::size_t cut = 0; cut < row.octets.size(); ++cut) {
      EXPECT_EQ(read_datagram_proxy_header(octets.first(cut)).kind, Kind::malformed) << row.why;
    }
  }
}

TEST(ProxyHeader, DatagramsHaveNoLines) {
  const std::string line = "PROXY UNKNOWN\r\n";
  const Octets octets(reinterpret_cast<const std::uint8_t*>(line.data()), line.size());
  EXPECT_EQ(read_proxy_header(octets).kind, Kind::local);
  EXPECT_EQ(read_datagram_proxy_header(octets).kind, Kind::malformed);
}

TEST(ProxyHeader, RefusesOtherBinaryHeaders) {
  const Row rows[] = {
      {"another signature", "\r\n\r\n\1"s, Kind::malformed},
      {"version 1 in binary", signature + "\x11", Kind::malformed},
      {"version 3", signature + "\x31", Kind::malformed},
      {"no such command", signature + "\x22", Kind::malformed},
      {"no such family", signature + "\x21\x41", Kind::malformed},
      {"no such protocol", signature + "\x21\x13", Kind::malformed},
      {"too short for IPv4", binary(0x21, 0x11, "", 11), Kind::malformed},
      {"too short for IPv6", binary(0x21, 0x21, "", 35), Kind::malformed},
      {"too short for paths", binary(0x21, 0x31, "", 215), Kind::malformed},
      {"too long", binary(0x21, 0x11, "", 1'024 - 15), Kind::malformed},
      {"too long, even from the proxy itself", binary(0x20, 0x00, "", 0xFFFF), Kind::malformed},
      {"half a field's head", binary(0x21, 0x11, v4 + "\4\0"s), Kind::malformed},
      {"a field beyond the end", binary(0x21, 0x11, v4 + "\4\0\2x"s), Kind::malformed},
      {"… of Unix sockets", binary(0x21, 0x31, paths + "\4\0\2x"s), Kind::malformed},
      {"… of no protocol", binary(0x21, 0x10, v4 + "\4\0\2x"s), Kind::malformed},
      {"a wrong sum", with_sum(0x21, 0x11, v4, 0xC762'EEEE), Kind::malformed},
      {"a sum of three octets", binary(0x21, 0x11, v4 + field(3, "abc")), Kind::malformed},
      {"two sums", binary(0x21, 0x11, v4 + field(3, "abcd") + field(3, "abcd")), Kind::malformed},
  };
  for (const Row& row : rows) check(row);
}

// Wherever the sum stands, every bit of such a header counts, but those that say it is a sum.
TEST(ProxyHeader, SumCoversAll) {
  const std::string good =
      binary(0x21, 0x21, v6 + field(1, "dot") + field(3, "\x41\xEF\x4E\xF4") + field(4, "\0\0"s));
  const std::size_t type_at = good.find("dot") + 3;
  ASSERT_EQ(read(good).kind, Kind::proxied);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    if (bit / 8 == type_at) continue;
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const ProxyHeader header = read(bad);
    EXPECT_NE(header.kind, Kind::proxied) << "bit " << bit;
  }
}

}  // namespace
}  // namespace sotto
