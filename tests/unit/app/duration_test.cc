#include "app/duration.h"

#include <cstdint>
#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Duration, ReadsNumbersWithUnits) {
  struct Case {
    const char* text;
    std::int64_t milliseconds;  // -1: refused
  };
  const Case cases[] = {
      {"4.5s", 4'500},
      {"250ms", 250},
      {"0s", 0},
      {"1m", 60'000},
      {"1.5h", 5'400'000},
      {"0.001s", 1},
      {"1.000s", 1'000},
      {"9", -1},
      {"", -1},
      {"s", -1},
      {"-1s", -1},
      {"1.s", -1},
      {".5s", -1},
      {"1.5ms", -1},
      {"0.0001s", -1},
      {"1s ", -1},
      {"1 s", -1},
      {"1e3s", -1},
      {"1d", 86'400'000},
      {"366d", 31'622'400'000},
      {"367d", -1},
      {"1S", -1},
      {"1..5s", -1},
      {"99999999999999999999s", -1},
      {"9999999h", -1},
  };
  for (const Case& c : cases) {
    const auto duration = parse_duration(c.text);
    EXPECT_EQ(duration ? duration->count() : -1, c.milliseconds) << c.text;
  }
}

TEST(Duration, IsWrittenShortAndReadBack) {
  EXPECT_EQ(duration_text(std::chrono::milliseconds{0}), "0s");
  EXPECT_EQ(duration_text(std::chrono::milliseconds{250}), "250ms");
  EXPECT_EQ(duration_text(std::chrono::milliseconds{4'500}), "4.5s");
  EXPECT_EQ(duration_text(std::chrono::milliseconds{9'000}), "9s");
  EXPECT_EQ(duration_text(std::chrono::minutes{1}), "1m");
  EXPECT_EQ(duration_text(std::chrono::seconds{90}), "90s");
  EXPECT_EQ(duration_text(std::chrono::milliseconds{60'500}), "60.5s");
  EXPECT_EQ(duration_text(std::chrono::hours{1}), "1h");
  EXPECT_EQ(duration_text(std::chrono::minutes{90}), "90m");
  EXPECT_EQ(duration_text(std::chrono::hours{7 * 24}), "7d");
  for (std::int64_t count = 0; count < 12'000; ++count) {
    for (const std::int64_t step : {1, 499, 60'000, 1'800'000}) {
      const std::chrono::milliseconds duration{count * step};
      EXPECT_EQ(parse_duration(duration_text(duration)), duration);
    }
  }
}

}  // namespace
}  // namespace sotto
