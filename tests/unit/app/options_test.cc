#include "app/options.h"

#include <gtest/gtest.h>
#include <set>

#include "app/config_reader.h"

namespace sotto {
namespace {

// What the table says is the default is what an empty configuration has.
TEST(Options, DefaultsInTheTableAreThoseOfTheCode) {
  const Draft draft = read_config(std::nullopt, {});
  ASSERT_TRUE(draft.errors.empty());
  Entry entry;
  entry.upstream = draft.config.upstreams.at(0);
  entry.upstream.group = UpstreamConfig{}.group;  // of the built-in ones, each is a group
  entry.group.name = group_default;
  for (const Option& option : options()) {
    if (option.key == "upstream.url" || option.key == "policy.allow") continue;  // said in words
    if (option.key == "listener.address") continue;                              // has none
    EXPECT_EQ(option.print(draft.config, entry), option.standard) << option.key;
  }
  EXPECT_EQ(draft.config.upstreams.at(0).name, "cloudflare");
  EXPECT_EQ(draft.config.upstreams.at(1).name, "quad9");
  EXPECT_EQ(draft.config.policy.allow, local_networks());
}

TEST(Options, EveryRowIsWhole) {
  std::set<std::string_view> keys;
  std::string_view section;
  std::set<std::string_view> sections;
  for (const Option& option : options()) {
    EXPECT_TRUE(keys.insert(option.key).second) << option.key << " is there twice";
    if (option.section() != section) {
      section = option.section();
      EXPECT_TRUE(sections.insert(section).second) << section << " is in two pieces";
    }
    ASSERT_NE(option.set, nullptr) << option.key;
    ASSERT_NE(option.print, nullptr) << option.key;
    EXPECT_TRUE(option.help.ends_with('.')) << option.key;
    EXPECT_FALSE(option.standard.empty()) << option.key;
    EXPECT_LE(option.minimum, option.maximum) << option.key;
    EXPECT_EQ(option.flag.empty(), option.environment.empty()) << option.key;
    EXPECT_EQ(option.kind == Option::Kind::choice, !option.choices.empty()) << option.key;
    EXPECT_EQ(find_option(option.key), &option);
    EXPECT_FALSE(option.type_text().empty()) << option.key;
    EXPECT_TRUE(option.of_upstream() || !option.in_list_only) << option.key;
  }
  EXPECT_EQ(find_option("cache.memory"), nullptr);
}

}  // namespace
}  // namespace sotto
