#include "app/upstreams_options.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(UpstreamsOptions, BecomeACall) {
  const auto text = parse_upstreams_words({});
  ASSERT_TRUE(text);
  EXPECT_EQ(call_text(*text), "upstreams\n");
  const auto json =
      parse_upstreams_words({.words = {}, .json = true, .socket = "", .config_file = ""});
  ASSERT_TRUE(json);
  EXPECT_EQ(call_text(*json), "upstreams json\n");
}

TEST(UpstreamsOptions, TakeNoWords) {
  UpstreamsWords words;
  words.words = {"quad9", "x"};
  EXPECT_EQ(parse_upstreams_words(words).error(), "unexpected \"quad9\"; all upstreams are shown");
}

}  // namespace
}  // namespace sotto
