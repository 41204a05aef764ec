#include "policy/registrable_name.h"

#include <gtest/gtest.h>
#include <random>
#include <string>

#include "dns/name.h"

namespace sotto {
namespace {

std::string registrable(const std::string& text) {
  const Name name = *name_from_text(text);
  return name_to_text(registrable_name(name.octets()));
}

TEST(RegistrableName, IsOneLabelMoreThanThePublicSuffix) {
  struct Row {
    const char* reason;
    const char* name;
    const char* registrable;
  };
  const Row rows[] = {
      {"it is itself", "example.com.", "example.com."},
      {"what is below it", "a.b.example.com.", "example.com."},
      {"a suffix of two labels", "www.example.co.uk.", "example.co.uk."},
      {"in its own spelling", "WWW.Example.CO.uk.", "Example.CO.uk."},
      {"an A-label", "www.example.xn--fiqs8s.", "example.xn--fiqs8s."},
      {"a rule for all children, *.ck", "a.b.c.ck.", "b.c.ck."},
      {"its exception, !www.ck", "a.www.ck.", "www.ck."},
      {"an exception below a rule for all", "a.city.kawasaki.jp.", "city.kawasaki.jp."},
      {"a private suffix", "a.b.github.io.", "b.github.io."},
      {"reverse names", "4.3.2.192.in-addr.arpa.", "192.in-addr.arpa."},
      {"an unknown top-level domain", "a.b.printer.lan.", "printer.lan."},
      {"service labels", "_dns.resolver.example.com.", "example.com."},
  };
  for (const Row& row : rows) EXPECT_EQ(registrable(row.name), row.registrable) << row.reason;
}

TEST(RegistrableName, IsTheWholeNameWhereNothingWasRegistered) {
  for (const char* name : {".", "com.", "co.uk.", "CO.UK.", "c.ck.", "lan.", "github.io."}) {
    EXPECT_EQ(registrable(name), name);
  }
}

TEST(RegistrableName, LabelsEndWhereTheirLengthSays) {
  struct Row {
    const char* reason;
    const char* name;
    const char* registrable;
  };
  const Row rows[] = {
      {"a dot in the label makes no suffix", "www.a\\.co.uk.", "a\\.co.uk."},
      {"a dot in front", "www.x\\.example.com.", "x\\.example.com."},
      {"a NUL does not end the name", "a\\000.example.com.", "example.com."},
      {"a NUL in the registrable label", "www.exa\\000mple.com.", "exa\\000mple.com."},
      {"no A-label, so not in the list", "a.b.\\228\\184\\173\\229\\155\\189.",
       "b.\\228\\184\\173\\229\\155\\189."},
      {"an asterisk is a label like any", "a.*.ck.", "a.*.ck."},
      {"an exclamation mark, too", "a.!www.ck.", "a.!www.ck."},
      {"a space", "my\\032printer._ipp._tcp.example.com.", "example.com."},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(registrable(row.name), registrable(row.registrable)) << row.reason;
    EXPECT_EQ(registrable(row.name), name_to_text(name_from_text(row.registrable)->octets()))
        << row.reason;
  }
}

TEST(RegistrableName, OnlyTheLastLabelsCount) {
  std::string labels;
  for (int at = 0; at < 120; ++at) labels += "a.";
  EXPECT_EQ(registrable(labels + "example.co.uk."), "example.co.uk.");
  EXPECT_EQ(registrable(labels + "example."), "a.example.");
  for (int at = 1; at <= 12; ++at) {
    EXPECT_EQ(registrable(labels.substr(static_cast<std::size_t>(240 - 2 * at)) + "co.uk."),
              "a.co.uk.");
  }
}

// Random labels of any octets: the answer is a suffix of whole labels, is its own registrable name,
// and does not depend on what stands in front of it.
TEST(RegistrableName, IsAWholeEndOfAnyName) {
  std::mt19937 random(7);
  const auto pick = [&random](unsigned count) { return static_cast<unsigned>(random() % count); };
  const char* const suffixes[] = {"", "\003com", "\002co\002uk", "\002ck", "\006github\002io"};
  for (int round = 0; round < 20'000; ++round) {
    std::string wire;
    for (unsigned labels = pick(12); labels > 0; --labels) {
      const unsigned length = 1 + pick(12);
      wire += static_cast<char>(length);
      for (unsigned at = 0; at < length; ++at) wire += static_cast<char>(pick(256));
    }
    wire += suffixes[pick(5)];
    wire += '\0';
    const std::span<const std::uint8_t> name{reinterpret_cast<const std::uint8_t*>(wire.data()),
                                             wire.size()};
    const auto found = registrable_name(name);
    ASSERT_EQ(found.data() + found.size(), name.data() + name.size());
    std::size_t at = 0;
    while (name.data() + at < found.data()) at += std::size_t{1} + name[at];
    ASSERT_EQ(name.data() + at, found.data()) << "cut inside a label";
    ASSERT_EQ(registrable_name(found).size(), found.size());
  }
}

}  // namespace
}  // namespace sotto
