#include "app/octets.h"

#include <cstdint>
#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Octets, ReadsNumbersWithUnits) {
  struct Case {
    const char* text;
    std::int64_t octets;  // -1: refused
  };
  const Case cases[] = {
      {"128MiB", std::int64_t{128} << 20U},
      {"512KiB", 524'288},
      {"1GiB", std::int64_t{1} << 30U},
      {"1TiB", std::int64_t{1} << 40U},
      {"0", 0},
      {"0MiB", 0},
      {"1000", 1'000},
      {"8388607TiB", std::int64_t{8'388'607} << 40U},
      {"8388608TiB", -1},
      {"999999999999999999", 999'999'999'999'999'999},
      {"1000000000000000000", -1},
      {"", -1},
      {"MiB", -1},
      {"-1", -1},
      {"+1", -1},
      {"1.5GiB", -1},
      {"128 MiB", -1},
      {" 128MiB", -1},
      {"128MB", -1},  // could mean either
      {"128mib", -1},
      {"128M", -1},
      {"0x10", -1},
      {"128MiBs", -1},
  };
  for (const Case& c : cases) EXPECT_EQ(parse_octets(c.text).value_or(-1), c.octets) << c.text;
}

TEST(Octets, AreWrittenShortAndReadBack) {
  EXPECT_EQ(octets_text(0), "0");
  EXPECT_EQ(octets_text(1'000), "1000");
  EXPECT_EQ(octets_text(1'024), "1KiB");
  EXPECT_EQ(octets_text(std::int64_t{1'536} << 20U), "1536MiB");
  for (unsigned shift = 0; shift < 62; ++shift) {
    for (const std::int64_t factor : {1, 3}) {
      const std::int64_t octets = factor << shift >> 1U;
      if (octets > 999'999'999'999'999'999 && octets % 1'024 != 0) continue;
      EXPECT_EQ(parse_octets(octets_text(octets)), octets) << octets;
    }
  }
}

}  // namespace
}  // namespace sotto
