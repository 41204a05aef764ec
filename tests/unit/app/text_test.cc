#include "app/text.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Text, EscapesEverythingButPrintableAscii) {
  struct Case {
    const char* reason;
    std::string text;
    const char* expected;
  };
  const Case cases[] = {
      {"printable text stays", "tls://1.1.1.1", "tls://1.1.1.1"},
      {"quotes and backslashes", "a\"b\\c", "a\\\"b\\\\c"},
      {"a terminal's escape sequence", "\x1b[31m", "\\x1b[31m"},
      {"line ends would forge a second line", "a\nb\r", "a\\x0ab\\x0d"},
      {"octets above ASCII", "\xc3\xbc", "\\xc3\\xbc"},
      {"NUL and DEL", std::string("\0\x7f", 2), "\\x00\\x7f"},
  };
  for (const Case& c : cases) EXPECT_EQ(escaped(c.text), c.expected) << c.reason;
  EXPECT_EQ(escaped("abcdef", 3), "abc...");
  EXPECT_EQ(escaped("abc", 3), "abc");
}

TEST(Text, CountsEdits) {
  struct Case {
    const char* left;
    const char* right;
    std::size_t distance;
  };
  const Case cases[] = {
      {"", "", 0},
      {"", "abc", 3},
      {"abc", "", 3},
      {"abc", "abc", 0},
      {"worker", "workers", 1},
      {"wrokers", "workers", 1},
      {"kitten", "sitting", 3},
      {"udp", "tcp", 2},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(edit_distance(c.left, c.right), c.distance) << c.left << " " << c.right;
  }
}

TEST(Text, FindsTheNearestOrNothing) {
  const std::vector<std::string_view> names{"udp", "tcp", "workers", "query_timeout"};
  EXPECT_EQ(nearest("worker", names), "workers");
  EXPECT_EQ(nearest("query-timeout", names), "query_timeout");
  EXPECT_EQ(nearest("tls", names), "") << "two of three letters differ";
  EXPECT_EQ(nearest("cache", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest(std::string(100'000, 'w'), names), "") << "bounded work";
}

TEST(Text, SplitsLists) {
  EXPECT_EQ(split_list(" a , b,,c "), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(split_list(" , ").empty());
  EXPECT_TRUE(split_list("").empty());
}

TEST(Text, WritesBase64) {
  // RFC 4648 §10.
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, expected] : cases) {
    const std::vector<std::uint8_t> octets(text.begin(), text.end());
    EXPECT_EQ(base64(octets), expected);
  }
}

}  // namespace
}  // namespace sotto
