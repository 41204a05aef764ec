#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "dns/name.h"
#include "make_message.h"

namespace sotto {
namespace {

using test::octets;
using test::Octets;

TEST(NameText, EscapesWhatHasAMeaning) {
  struct {
    Octets name;
    const char* text;
  } const cases[] = {
      {octets({0}), "."},
      {octets({3, 'w', 'w', 'w', 2, 'd', 'e', 0}), "www.de."},
      {octets({3, 'a', '.', 'b', 0}), "a\\.b."},
      {octets({2, '\\', '"', 0}), "\\\\\\\"."},
      {octets({3, 0, ' ', 0xFF, 0}), "\\000\\032\\255."},
      {octets({2, 0x7F, '\n', 0}), "\\127\\010."},
      {octets({2, '@', ';', 0}), "\\@\\;."},
      {octets({2, '_', '*', 0}), "_*."},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(name_to_text(test.name), test.text);
    const auto name = name_from_text(test.text);
    ASSERT_TRUE(name) << test.text;
    EXPECT_TRUE(std::ranges::equal(name->octets(), test.name)) << test.text;
  }
}

TEST(NameText, EveryOctetSurvivesTheRoundTrip) {
  for (unsigned octet = 0; octet < 256; ++octet) {
    const Octets name = octets({3, octet, 'x', octet, 1, octet, 0});
    const std::string text = name_to_text(name);
    for (const char letter : text) EXPECT_TRUE(letter > ' ' && letter < 0x7F) << octet;
    const auto again = name_from_text(text);
    ASSERT_TRUE(again) << text;
    EXPECT_TRUE(std::ranges::equal(again->octets(), name)) << text;
  }
}

TEST(NameText, RefusesWhatIsNoName) {
  const std::string label63(63, 'a');
  const std::string four = label63 + '.' + label63 + '.' + label63 + '.';
  struct {
    const char* reason;
    std::string text;
    bool valid;
  } const cases[] = {
      {"no text", "", false},
      {"the root", ".", true},
      {"two roots", "..", false},
      {"an empty label in front", ".a", false},
      {"an empty label inside", "a..b", false},
      {"two dots at the end", "a..", false},
      {"without the final dot", "a.b", true},
      {"a label of 63", label63, true},
      {"a label of 64", label63 + 'a', false},
      {"255 octets", four + std::string(61, 'a'), true},
      {"255 octets and a final dot", four + std::string(61, 'a') + '.', true},
      {"256 octets", four + std::string(62, 'a'), false},
      {"256 octets and a final dot", four + std::string(62, 'a') + '.', false},
      {"257 octets", four + std::string(61, 'a') + ".a", false},
      {"an escape of nothing", "a\\", false},
      {"an escape of two digits", "a\\12", false},
      {"an escape of two digits and a letter", "a\\12x", false},
      {"an escape beyond an octet", "a\\256", false},
      {"an escaped dot is no separator", "a\\.", true},
      {"a space has to be escaped", "a b", false},
      {"an escaped space", "a\\ b", true},
      {"raw octets beyond ASCII", "m\xC3\xBCller", false},
      {"a control character", "a\nb", false},
      {"an escaped control character", "a\\\nb", false},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(name_from_text(test.text).has_value(), test.valid) << test.reason;
  }
}

}  // namespace
}  // namespace sotto
