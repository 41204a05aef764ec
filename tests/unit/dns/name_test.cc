#include "dns/name.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "dns/flat_name.h"
#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::join;
using test::naive_name;
using test::octets;
using test::Octets;
using test::wire;

Octets repeated_label(std::size_t count, std::uint8_t length) {
  Octets name;
  for (std::size_t i = 0; i < count; ++i) {
    name.push_back(length);
    name.insert(name.end(), length, 'a');
  }
  return name;
}

struct NameCase {
  const char* reason;
  Octets message;
  std::size_t position;
  bool valid;
};

TEST(Name, ReadsWhatRfc1035Allows) {
  const Octets longest = join({repeated_label(3, 63), repeated_label(1, 61), {0}});
  ASSERT_EQ(longest.size(), 255U);
  const NameCase cases[] = {
      {"the root", octets({0}), 0, true},
      {"one label", octets({1, 'a', 0}), 0, true},
      {"no octet at all", {}, 0, false},
      {"a label cut short", octets({2, 'a'}), 0, false},
      {"no root at the end", octets({1, 'a'}), 0, false},
      {"label type 0x40 is reserved", octets({0x40, 'a', 0}), 0, false},
      {"label type 0x80 is reserved", octets({0x80, 'a', 0}), 0, false},
      {"a pointer to itself", octets({0xC0, 0x00}), 0, false},
      {"a pointer to the labels before it", octets({1, 'a', 0xC0, 0x00}), 0, false},
      {"a pointer forward", octets({0xC0, 0x02, 0}), 0, false},
      {"half a pointer", octets({0, 0xC0}), 1, false},
      {"a pointer back", octets({1, 'a', 0, 0xC0, 0x00}), 3, true},
      {"a label and a pointer back", octets({1, 'a', 0, 1, 'b', 0xC0, 0x00}), 3, true},
      {"a pointer to a pointer", octets({0, 0xC0, 0x00, 0xC0, 0x01}), 3, true},
      {"two pointers to each other", octets({0xC0, 0x02, 0xC0, 0x00}), 2, false},
      {"255 octets", longest, 0, true},
      {"256 octets", join({repeated_label(3, 63), repeated_label(1, 62), {0}}), 0, false},
      {"256 octets through a pointer", join({longest, octets({1, 'b', 0xC0, 0x00})}), 255, false},
      {"127 labels", join({repeated_label(127, 1), {0}}), 0, true},
      {"128 labels", join({repeated_label(128, 1), {0}}), 0, false},
  };
  for (const NameCase& test : cases) {
    WireReader reader(test.message, test.position);
    EXPECT_EQ(read_name(reader, test.message).has_value(), test.valid) << test.reason;
    EXPECT_EQ(reader.ok(), test.valid) << test.reason;
  }
}

TEST(Name, LeavesTheReaderBehindTheFirstPointer) {
  const Octets message = octets({1, 'a', 0, 1, 'b', 0xC0, 0x00, 99});
  WireReader reader(message, 3);
  const auto name = read_name(reader, message);
  ASSERT_TRUE(name);
  EXPECT_EQ(name_to_text(name->octets()), "b.a.");
  EXPECT_EQ(reader.take8(), 99);
}

TEST(Name, EndsLongPointerChains) {
  // Pointers to pointers: 127 of them are followed, as many as a name can have labels.
  for (const std::size_t pointers : {126U, 127U, 128U, 200U, 8'000U}) {
    Octets message = octets({0, 0xC0, 0});
    for (std::size_t i = 1; i < pointers; ++i) {
      const auto target = test::octets16(static_cast<std::uint16_t>(0xC000 + 1 + 2 * (i - 1)));
      message.insert(message.end(), target.begin(), target.end());
    }
    WireReader reader(message, message.size() - 2);
    EXPECT_EQ(read_name(reader, message).has_value(), pointers <= 127) << pointers;
  }
}

void agree_on(const Octets& message) {
  for (std::size_t position = 0; position <= message.size(); ++position) {
    const auto expected = naive_name(message, position);
    WireReader reader(message, position);
    const auto name = read_name(reader, message);
    ASSERT_EQ(name.has_value(), expected.has_value());
    if (!name) continue;
    ASSERT_EQ(reader.position(), expected->end);
    Octets flat;
    for (const std::string& label : expected->labels) {
      flat.push_back(static_cast<std::uint8_t>(label.size()));
      flat.insert(flat.end(), label.begin(), label.end());
    }
    flat.push_back(0);
    ASSERT_TRUE(std::ranges::equal(name->octets(), flat));
    // What is read can be skipped, to the same end.
    const auto skipped = skip_name(message, position);
    ASSERT_TRUE(skipped);
    ASSERT_EQ(*skipped, expected->end);
    // A name without pointers is its own uncompressed form.
    const bool plain = flat.size() == expected->end - position;
    const bool pointed = std::ranges::count(message, 0xC0) > 0;
    if (plain && !pointed) {
      ASSERT_EQ(plain_name_octets(std::span(message).subspan(position)), flat.size());
    }
  }
}

// All strings of up to octets_max octets over an alphabet.
void visit_all(const Octets& alphabet, std::size_t octets_max, Octets& message) {
  agree_on(message);
  if (testing::Test::HasFatalFailure() || message.size() == octets_max) return;
  for (const std::uint8_t octet : alphabet) {
    message.push_back(octet);
    visit_all(alphabet, octets_max, message);
    message.pop_back();
  }
}

TEST(Name, AgreesWithTheNaiveReaderOnAllShortMessages) {
  Octets message;
  visit_all(octets({0, 1, 2, 3, 4, 'a', 'Z', 0x3F, 0x40, 0x80, 0xBF, 0xC0, 0xFF}), 4, message);
  visit_all(octets({0, 1, 2, 4, 'a', 0xC0}), 6, message);
}

TEST(Name, PlainNamesHaveNeitherPointersNorReservedLabels) {
  EXPECT_EQ(plain_name_octets(octets({0, 7})), 1U);
  EXPECT_EQ(plain_name_octets(octets({1, 'a', 0})), 3U);
  EXPECT_EQ(plain_name_octets(octets({1, 'a'})), 0U);
  EXPECT_EQ(plain_name_octets(octets({5, 'a'})), 0U);
  EXPECT_EQ(plain_name_octets({}), 0U);
  EXPECT_EQ(plain_name_octets(octets({1, 'a', 0xC0, 0})), 0U);
  // Long enough for either to be mistaken for a long label.
  EXPECT_EQ(plain_name_octets(join({octets({0x40}), Octets(64, 'a'), {0}})), 0U);
  EXPECT_EQ(plain_name_octets(join({octets({0xC0}), Octets(192, 'a'), {0}})), 0U);
  EXPECT_EQ(plain_name_octets(join({repeated_label(127, 1), {0}})), 255U);
  EXPECT_EQ(plain_name_octets(join({repeated_label(128, 1), {0}})), 0U);
}

TEST(Name, FoldsAsciiLettersAndNothingElse) {
  for (unsigned left = 0; left < 256; ++left) {
    for (unsigned right = 0; right < 256; ++right) {
      const bool equal =
          left == right || (left < 128 && right < 128 &&
                            std::isalpha(static_cast<int>(left)) != 0 && (left ^ right) == 0x20);
      // Short and long, as eight octets are folded at once.
      const Octets short_left = octets({1, left, 0});
      const Octets short_right = octets({1, right, 0});
      const Octets long_left = octets({9, 1, 2, left, 4, 5, 6, 7, 8, 9, 0});
      const Octets long_right = octets({9, 1, 2, right, 4, 5, 6, 7, 8, 9, 0});
      ASSERT_EQ(equal_names(short_left, short_right), equal) << left << " and " << right;
      ASSERT_EQ(equal_names(long_left, long_right), equal) << left << " and " << right;
    }
  }
}

TEST(Name, KnowsWhatIsBelowWhat) {
  struct {
    const char* reason;
    const char* name;
    const char* parent;
    bool below;
  } const cases[] = {
      {"itself", "example.com", "example.com", true},
      {"itself, spelled otherwise", "EXAMPLE.com", "example.COM", true},
      {"a child", "www.example.com", "example.com", true},
      {"everything is below the root", "www.example.com", ".", true},
      {"the root is below the root", ".", ".", true},
      {"a parent", "com", "example.com", false},
      {"the same ending, but inside a label", "myexample.com", "example.com", false},
      {"a label that looks like two", "a\\007example.com", "example.com", false},
      {"a sibling of equal length", "axample.com", "example.com", false},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(is_at_or_below(wire(test.name), wire(test.parent)), test.below) << test.reason;
  }
}

}  // namespace
}  // namespace sotto
