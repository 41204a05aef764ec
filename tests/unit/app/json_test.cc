#include "app/json.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Json, StringsHoldWhateverStrangersSend) {
  EXPECT_EQ(json_string(""), "\"\"");
  EXPECT_EQ(json_string("a \"b\" \\c"), "\"a \\\"b\\\" \\\\c\"");
  EXPECT_EQ(json_string("\n\x7f\xff"), "\"\\u000a\\u007f\\u00ff\"");
  EXPECT_EQ(json_string("abcdef", 3), "\"abc...\"");
}

TEST(Json, CommasStandBetween) {
  JsonWriter json;
  json.begin_object();
  json.begin_array("none");
  json.end_array();
  json.begin_array("texts");
  json.add_element("a{");
  json.add_element("b[");
  json.end_array();
  json.begin_array("objects");
  for (const std::uint64_t number : {1U, 2U}) {
    json.begin_object();
    json.add_number("number", number);
    json.add_flag("flag", number == 1);
    json.end_object();
  }
  json.end_array();
  json.begin_object("inner");
  json.add_null("nothing");
  json.add_duration("seconds", std::chrono::microseconds{1'500'001});
  json.end_object();
  json.add_text("text", ":");
  json.end_object();
  EXPECT_EQ(json.text(),
            "{\"none\":[],\"texts\":[\"a{\",\"b[\"],"
            "\"objects\":[{\"number\":1,\"flag\":true},{\"number\":2,\"flag\":false}],"
            "\"inner\":{\"nothing\":null,\"seconds\":1.500001},\"text\":\":\"}\n");
}

}  // namespace
}  // namespace sotto
