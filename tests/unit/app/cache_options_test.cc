#include "app/cache_options.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(CacheOptions, BecomeACall) {
  struct Case {
    std::vector<std::string> words;
    bool below;
    const char* call;
  };
  const Case cases[] = {
      {{"flush"}, false, "cache.flush\n"},
      {{"flush", "www.Example"}, false, "cache.flush www.Example.\n"},
      {{"flush", "example."}, true, "cache.flush example. below\n"},
      {{"flush", "."}, true, "cache.flush . below\n"},
      {{"show", "a\\ b.example"}, false, "cache.show a\\032b.example.\n"},
      {{"show", "a\\.b.example"}, false, "cache.show a\\.b.example.\n"},
      {{"stats"}, false, "cache.stats\n"},
  };
  for (const Case& c : cases) {
    const auto call = parse_cache_words({c.words, c.below, "", ""});
    ASSERT_TRUE(call.has_value()) << call.error();
    EXPECT_EQ(call_text(*call), c.call);
  }
}

TEST(CacheOptions, WhatIsWrongIsSaidBeforeAnythingIsSent) {
  struct Case {
    std::vector<std::string> words;
    bool below;
    const char* fault;
  };
  const Case cases[] = {
      {{}, false, "say what to do: one of flush, show, stats"},
      {{"forget"}, false, "unknown command (\"forget\"); write one of flush, show, stats"},
      {{"flush", "a b"}, false, "not a name (\"a b\"); write it as in a zone file"},
      {{"flush", "a..b"}, false, "not a name (\"a..b\"); write it as in a zone file"},
      {{"show", ""}, false, "the name is empty; the root is written as a dot"},
      {{"show", "m\xC3\xBCnchen.example"},
       false,
       "not a name (\"m\\xc3\\xbcnchen.example\"); names outside ASCII are written in their xn-- "
       "form"},
      {{"show", std::string(64, 'a')},
       false,
       "not a name (\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"); write "
       "it "
       "as in a zone file"},
      {{"flush", "a", "b"}, false, "one name at a time (\"b\")"},
      {{"show"}, false, "say what to show: a name"},
      {{"stats", "a"}, false, "stats takes no name (\"a\"); show does"},
      {{"show", "a"}, true, "--below is for flush"},
      {{"flush"}, true, "--below needs a name; without both, everything is forgotten"},
  };
  for (const Case& c : cases) {
    const auto call = parse_cache_words({c.words, c.below, "", ""});
    ASSERT_FALSE(call.has_value()) << c.fault;
    EXPECT_EQ(call.error(), c.fault);
  }
}

}  // namespace
}  // namespace sotto
