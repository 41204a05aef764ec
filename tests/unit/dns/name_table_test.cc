#include "dns/name_table.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "base/random.h"
#include "dns/name.h"
#include "make_message.h"

namespace sotto {
namespace {

using test::Octets;
using test::wire;

// A message that consists of a header, a question and names.
class Writing {
 public:
  explicit Writing(const char* qname, std::size_t expected = 512)
      : qname_(wire(qname)), out_(octets_, expected), table_(out_, qname_, expected) {
    out_.put(test::header({}));
    out_.put(qname_);
    out_.put(test::octets({0, 1, 0, 1}));
  }

  // Returns the octets the name took.
  std::size_t write(std::span<const std::uint8_t> name) {
    FlatName flat;
    EXPECT_TRUE(expand_name(name, 0, flat));
    const std::size_t before = out_.position();
    table_.write(flat);
    if (!out_.ok()) return 0;
    // Whatever was shared: it reads as it was given, octet for octet.
    FlatName again;
    const auto behind = expand_name(out_.view(), before, again);
    EXPECT_TRUE(behind);
    EXPECT_EQ(*behind, out_.position());
    EXPECT_TRUE(std::ranges::equal(again.view(), name));
    return out_.position() - before;
  }
  std::size_t write(const char* text) { return write(wire(text)); }
  void fill(std::size_t count) { out_.put(Octets(count, 0xAA)); }
  bool ok() const { return out_.ok(); }

 private:
  Octets octets_;
  Octets qname_;
  MessageBuilder out_;
  NameTable table_;
};

TEST(NameTable, SharesTheLongestKnownSuffix) {
  Writing message("www.example.com");
  EXPECT_EQ(message.write("www.example.com"), 2U);
  EXPECT_EQ(message.write("example.com"), 2U);
  EXPECT_EQ(message.write("com"), 2U);
  EXPECT_EQ(message.write("."), 1U);
  EXPECT_EQ(message.write("ns1.example.com"), 6U);
  EXPECT_EQ(message.write("ns1.example.com"), 2U);
  EXPECT_EQ(message.write("a.ns1.example.com"), 4U);
  EXPECT_EQ(message.write("example.net"), 13U);
  EXPECT_EQ(message.write("b.example.net"), 4U);
  EXPECT_EQ(message.write("www.com"), 6U);
}

TEST(NameTable, KeepsTheSpelling) {
  Writing message("www.example.com");
  EXPECT_EQ(message.write("www.Example.com"), 14U);  // only com is shared
  EXPECT_EQ(message.write("ftp.Example.com"), 6U);
  EXPECT_EQ(message.write("ftp.example.com"), 6U);
}

TEST(NameTable, ServesTheRootAsQuestion) {
  Writing message(".");
  EXPECT_EQ(message.write("."), 1U);
  EXPECT_EQ(message.write("a.root-servers.net"), 20U);
  EXPECT_EQ(message.write("b.root-servers.net"), 4U);
}

TEST(NameTable, NeverPointsBeyondWhatAPointerReaches) {
  Writing message("example.com", 40'000);
  message.fill(0x3FFF - 40);
  for (int i = 0; i < 8; ++i) message.write(("a" + std::to_string(i) + ".b.example.net").c_str());
  message.fill(1'000);
  EXPECT_EQ(message.write("far.example.org"), 17U);
  EXPECT_EQ(message.write("far.example.org"), 17U);  // written behind the limit, so not shared
  EXPECT_EQ(message.write("far.example.com"), 6U);
}

TEST(NameTable, StaysRightWhenItIsFull) {
  Writing message("example.com", 64);  // the smallest table
  for (int i = 0; i < 500; ++i) {
    message.write(("host" + std::to_string(i) + ".example.com").c_str());
  }
  EXPECT_EQ(message.write("host0.example.com"), 2U);
  EXPECT_EQ(message.write("host499.example.com"), 10U);
}

TEST(NameTable, HasRoomBesideTheLongestQuestion) {
  std::string longest;
  for (int i = 0; i < 127; ++i) longest += "a.";
  Writing message(longest.c_str(), 64);
  EXPECT_EQ(message.write(longest.c_str()), 2U);
  EXPECT_EQ(message.write("b.a.a"), 4U);
  EXPECT_EQ(message.write("b.a.a"), 2U);
}

TEST(NameTable, StopsAtTheLimitOfAMessage) {
  Writing message("example.com", 65'535);
  message.fill(65'000);
  for (int i = 0; i < 100; ++i)
    message.write(("host" + std::to_string(i) + ".example.net").c_str());
  EXPECT_FALSE(message.ok());
}

TEST(NameTable, ReproducesRandomNames) {
  Random random(7);
  for (int round = 0; round < 50; ++round) {
    Writing message("b.a.b", std::size_t{64} << random.below(8));
    for (int i = 0; i < 200; ++i) {
      Octets name;  // few labels and letters, so that most suffixes meet again
      for (std::uint64_t labels = random.below(6); labels > 0; --labels) {
        const std::size_t length = 1 + random.below(random.below(10) == 0 ? 40 : 2);
        name.push_back(static_cast<std::uint8_t>(length));
        for (std::size_t at = 0; at < length; ++at) {
          name.push_back(static_cast<std::uint8_t>("abA"[random.below(3)]));
        }
      }
      name.push_back(0);
      message.write(name);
    }
  }
}

}  // namespace
}  // namespace sotto
