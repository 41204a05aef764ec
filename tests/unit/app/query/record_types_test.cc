#include "app/query/record_types.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(RecordTypes, NamesAndNumbersGoBothWays) {
  // Every type that has a name, and every fifth of those that have none.
  for (std::uint32_t type = 0; type <= 0xFFFF; type += type < 300 || type > 0xFFF0 ? 1U : 5U) {
    const auto number = static_cast<std::uint16_t>(type);
    EXPECT_EQ(type_from_text(type_text(number)), number);
    EXPECT_EQ(type_from_text("TYPE" + std::to_string(type)), number);
  }
  EXPECT_EQ(type_text(28), "AAAA");
  EXPECT_EQ(type_text(65280), "TYPE65280");
  EXPECT_EQ(type_from_text("https"), 65);
  EXPECT_EQ(class_text(1), "IN");
  EXPECT_EQ(class_from_text("class42"), 42);
}

TEST(RecordTypes, NonsenseIsRefused) {
  for (const char* text : {"", "TYPE", "TYPE65536", "TYPE-1", "TYPE1x", "NONSENSE", "TYPE 1"}) {
    EXPECT_EQ(type_from_text(text), std::nullopt) << text;
  }
  EXPECT_EQ(class_from_text("INN"), std::nullopt);
}

TEST(RecordTypes, CodesHaveNames) {
  EXPECT_EQ(rcode_text(3), "NXDOMAIN");
  EXPECT_EQ(rcode_text(16), "BADVERS");
  EXPECT_EQ(rcode_text(4'095), "RCODE4095");
  EXPECT_EQ(ede_name(0), "Other Error");
  EXPECT_EQ(ede_name(18), "Prohibited");
  EXPECT_EQ(ede_name(22), "No Reachable Authority");
  EXPECT_EQ(ede_name(30), "Invalid Query Type");
  EXPECT_EQ(ede_name(31), "");
}

}  // namespace
}  // namespace sotto
