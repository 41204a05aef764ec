#include "app/config_reader.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

std::string errors_of(const Draft& draft) {
  std::string text;
  for (const ConfigError& error : draft.errors) text += error.text() + "\n";
  return text;
}

Draft read(const std::string& text, const std::vector<Override>& overrides = {}) {
  return read_config(ConfigText{"s.toml", text}, overrides);
}

constexpr const char* pin = "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

TEST(ConfigReader, EveryKeyArrives) {
  const Draft draft = read(std::string(R"(
workers = 3
query_timeout = "2.5s"
[listen]
udp = ["0.0.0.0:53", "[::]:53"]
tcp = ["127.0.0.1:5353"]
[upstream_default]
ca_file = "/ca.pem"
idle_timeout = "7s"
padding = false
[[upstream]]
url = "quad9"
idle_timeout = "250ms"
[[upstream]]
url = ["tls://192.0.2.1#dns.example", "tls://[2001:db8::1]:8853#dns.example"]
ca_file = ""
padding = true
pins = [")") + pin + R"("]
[policy]
allow = ["10.0.0.0/8"]
special_use_names = false
test_name = false
[tcp]
idle_timeout = "1m"
connections_max = 7
connections_per_client_max = 5
[log]
level = "debug"
format = "json"
)");
  ASSERT_EQ(errors_of(draft), "");
  const Config& config = draft.config;
  EXPECT_EQ(config.workers, 3U);
  EXPECT_EQ(config.query_timeout.count(), 2'500);
  ASSERT_EQ(config.listen.udp.size(), 2U);
  EXPECT_EQ(config.listen.udp[1].address.text(), "[::]:53");
  EXPECT_FALSE(config.listen.udp[1].is_default);
  ASSERT_EQ(config.listen.tcp.size(), 1U);
  ASSERT_EQ(config.upstreams.size(), 2U);
  EXPECT_EQ(config.upstreams[0].name, "quad9");
  EXPECT_EQ(config.upstreams[0].ca_file, "/ca.pem");
  EXPECT_EQ(config.upstreams[0].idle_timeout.count(), 250);
  EXPECT_FALSE(config.upstreams[0].padding);
  EXPECT_EQ(config.upstreams[1].name, "tls://192.0.2.1#dns.example");
  EXPECT_EQ(config.upstreams[1].auth_name, "dns.example");
  ASSERT_EQ(config.upstreams[1].endpoints.size(), 2U);
  EXPECT_EQ(config.upstreams[1].endpoints[1].text(), "[2001:db8::1]:8853");
  EXPECT_EQ(config.upstreams[1].ca_file, "") << "an empty one overrides the default";
  EXPECT_EQ(config.upstreams[1].idle_timeout.count(), 7'000);
  EXPECT_TRUE(config.upstreams[1].padding);
  ASSERT_EQ(config.upstreams[1].pins.size(), 1U);
  EXPECT_EQ(config.upstreams[1].pins[0][31], 31);
  ASSERT_EQ(config.policy.allow.size(), 1U);
  EXPECT_FALSE(config.policy.special_use_names);
  EXPECT_FALSE(config.policy.test_name);
  EXPECT_EQ(config.tcp.idle_timeout.count(), 60'000);
  EXPECT_EQ(config.tcp.connections_max, 7U);
  EXPECT_EQ(config.tcp.connections_per_client_max, 5U);
  EXPECT_EQ(config.log.level, LogLevel::debug);
  EXPECT_EQ(config.log.format, LogFormat::json);
}

TEST(ConfigReader, EveryKeyOfTheCacheArrives) {
  const Draft draft = read(R"(
[cache]
size = "64MiB"
ttl_min = "5s"
ttl_max = "2d"
negative_ttl_max = "5m"
prefetch = 25
file = "/var/lib/sotto/cache"
save_interval = "1h"
[cache.stale]
max_age = "3d"
[control]
socket = "/run/sotto/s"
)");
  ASSERT_EQ(errors_of(draft), "");
  const Config& config = draft.config;
  EXPECT_EQ(config.cache.size_octets, std::size_t{64} << 20U);
  EXPECT_EQ(config.cache.ttl_min.count(), 5);
  EXPECT_EQ(config.cache.ttl_max.count(), 172'800);
  EXPECT_EQ(config.cache.negative_ttl_max.count(), 300);
  EXPECT_EQ(config.cache.prefetch_percent, 25U);
  EXPECT_EQ(config.cache.file, "/var/lib/sotto/cache");
  EXPECT_EQ(config.cache.save_interval.count(), 3'600'000);
  EXPECT_EQ(config.cache.stale_max_age.count(), 259'200'000);
  EXPECT_EQ(config.control.socket, "/run/sotto/s");
}

struct Fault {
  const char* reason;
  const char* text;
  const char* errors;
};
const Fault faults[] = {
    {"a misspelt key", "worker = 1\n",
     "s.toml:1:1: unknown key (\"worker\"); did you mean \"workers\"?\n"},
    {"a misspelt key of a section", "[log]\n  levle = \"info\"\n",
     "s.toml:2:3: unknown key (\"levle\"); did you mean \"level\"?\n"},
    {"a key in the wrong place", "level = \"info\"\n",
     "s.toml:1:1: unknown key (\"level\"); did you mean \"log.level\"?\n"},
    {"a section that does not exist", "[filter]\nlists = 1\n",
     "s.toml:1:2: unknown key (\"filter\"); known here: workers, query_timeout, bootstrap, "
     "state_directory, listen, policy, tcp, server_tls, discovery, group, upstream_default, "
     "upstream, hedge, "
     "health, tls, cache, log, control\n"},
    {"a listener that does not exist", "[listen]\nserial = []\n",
     "s.toml:2:1: unknown key (\"serial\"); known here: udp, tcp, tls, https, admin\n"},
    {"the URL is no default", "[upstream_default]\nurl = \"quad9\"\n",
     "s.toml:2:1: unknown key (\"url\"); did you mean \"upstream.url\"?\n"},
    {"wrong types, all of them", "workers = 1.5\nlog = 3\n[policy]\ntest_name = \"yes\"\n",
     "s.toml:1:11: workers has the wrong type (\"1.5\"); write an integer or \"auto\" from 1 to "
     "256\n"
     "s.toml:2:7: log must be a section (\"3\"); write [log] and its keys below\n"
     "s.toml:4:13: test_name has the wrong type (\"yes\"); write true or false\n"},
    {"a list that is none", "[listen]\nudp = \"127.0.0.1:53\"\n",
     "s.toml:2:7: udp has the wrong type (\"127.0.0.1:53\"); write a list of strings, or tables: "
     "[\"ADDR:PORT\", { address = \"ADDR:PORT\", ... }]\n"},
    {"an element that is no string", "[listen]\nudp = [\n  \"127.0.0.1:53\",\n  53]\n",
     "s.toml:4:3: udp has the wrong type (\"53\"); write a list of strings, or tables: "
     "[\"ADDR:PORT\", { address = \"ADDR:PORT\", ... }]\n"},
    {"out of range", "workers = 0\n[tcp]\nconnections_max = -1\n",
     "s.toml:1:11: workers is out of range (\"0\"); it must be from 1 to 256\n"
     "s.toml:3:19: connections_max is out of range (\"-1\"); it must be from 1 to 1000000\n"},
    {"a duration out of range", "query_timeout = \"2m\"\n",
     "s.toml:1:17: query_timeout is out of range (\"2m\"); it must be from 100ms to 1m\n"},
    {"a duration without a unit", "query_timeout = 5\n",
     "s.toml:1:17: query_timeout needs a unit (\"5\"); write \"5s\" or \"5ms\"\n"},
    {"a duration that is none", "query_timeout = \"soon\"\n",
     "s.toml:1:17: query_timeout is not a duration (\"soon\"); write a number and ms, s, m, h or "
     "d, "
     "such as "
     "\"4.5s\" or \"250ms\"\n"},
    {"an unknown choice", "[log]\nlevel = \"warn\"\nformat = \"xml\"\n",
     "s.toml:2:9: unknown log.level (\"warn\"); write one of debug, info, warning, error\n"
     "s.toml:3:10: unknown log.format (\"xml\"); write one of text, json\n"},
    {"another string than auto", "workers = \"many\"\n",
     "s.toml:1:11: workers has the wrong type (\"many\"); write an integer or \"auto\" from 1 to "
     "256\n"},
    {"addresses", "[listen]\nudp = [\"localhost:53\", \"127.0.0.1\", \"127.0.0.1:0\"]\n",
     "s.toml:2:8: not an address and port (\"localhost:53\"); write \"127.0.0.1:53\"\n"
     "s.toml:2:24: the port is missing (\"127.0.0.1\"); write \"127.0.0.1:53\"\n"
     "s.toml:2:37: port 0 cannot be listened on (\"127.0.0.1:0\"); the port of DNS is 53\n"},
    {"an address twice", "[listen]\ntcp = [\"[::1]:53\", \"[0::1]:53\"]\n",
     "s.toml:2:20: this address is listed twice (\"[0::1]:53\")\n"},
    {"nothing to listen on", "[listen]\nudp = []\ntcp = []\n",
     "s.toml:3:7: udp, tcp, tls and https are all switched off; give one of them an address\n"},
    {"networks", "[policy]\nallow = [\"10.0.0.1/8\", \"home\"]\n",
     "s.toml:2:10: not a network (\"10.0.0.1/8\"); write \"10.0.0.0/8\" or \"fd00::/8\": at "
     "most 32 or 128 bits, and zeros behind them\n"
     "s.toml:2:24: not a network (\"home\"); write \"10.0.0.0/8\", \"fd00::/8\" or "
     "\"192.0.2.1\"\n"},
    {"a wildcard covers the other address",
     "[listen]\nudp = [\"0.0.0.0:53\", \"[::]:53\", \"127.0.0.1:53\"]\ntcp = []\n",
     "s.toml:2:33: this address and another one collide (\"127.0.0.1:53\"); \"0.0.0.0:53\" is "
     "listed too, and one of them covers the other\n"},
    {"an IPv6 address without brackets", "[listen]\nudp = [\"::1:53\"]\ntcp = []\n",
     "s.toml:2:8: an IPv6 address needs brackets and a port (\"::1:53\"); write \"[::1]:53\"\n"},
    {"a misspelt section within a section", "[cache.stael]\nmax_age = \"1d\"\n",
     "s.toml:1:8: unknown key (\"stael\"); did you mean \"stale\"?\n"},
    {"a misspelt key within it", "[cache.stale]\nmaxage = \"1d\"\n",
     "s.toml:2:1: unknown key (\"maxage\"); did you mean \"max_age\"?\n"},
    {"its key one level too high", "[cache]\nmax_age = \"1d\"\n",
     "s.toml:2:1: unknown key (\"max_age\"); did you mean \"cache.stale.max_age\"?\n"},
    {"a section that is none", "[cache]\nstale = \"1d\"\n",
     "s.toml:2:9: cache.stale must be a section (\"1d\"); write [cache.stale] and its keys "
     "below\n"},
    {"a dot between quotes is no section", "[\"cache.stale\"]\nmax_age = \"1d\"\n",
     "s.toml:1:2: unknown key (\"cache.stale\"); known here: workers, query_timeout, bootstrap, "
     "state_directory, listen, policy, tcp, server_tls, discovery, group, upstream_default, "
     "upstream, hedge, "
     "health, tls, cache, log, control\n"},
    {"a size below the least", "[cache]\nsize = \"511KiB\"\n",
     "s.toml:2:8: size is out of range (\"511KiB\"); it must be from 512KiB to 1TiB, or 0\n"},
    {"a negative size", "[cache]\nsize = -1\n",
     "s.toml:2:8: size is out of range (\"-1\"); it must be from 512KiB to 1TiB, or 0\n"},
    {"a size that is none", "[cache]\nsize = \"128MB\"\n",
     "s.toml:2:8: size is not a size (\"128MB\"); write a whole number and KiB, MiB, GiB or TiB, "
     "such as \"128MiB\", or a number of octets\n"},
    {"a size of the wrong type", "[cache]\nsize = 1.5\n",
     "s.toml:2:8: size has the wrong type (\"1.5\"); write a whole number and KiB, MiB, GiB or "
     "TiB, such as \"128MiB\", or a number of octets\n"},
    {"saving all the time", "[cache]\nsave_interval = \"999ms\"\n",
     "s.toml:2:17: save_interval is out of range (\"999ms\"); it must be from 1s to 7d, or 0s\n"},
    {"more percent than there are", "[cache]\nprefetch = 101\n",
     "s.toml:2:12: prefetch is out of range (\"101\"); it must be from 0 to 100\n"},
    {"TTLs have no fractions", "[cache]\nttl_min = \"1.5s\"\n",
     "s.toml:2:11: TTLs are whole seconds (\"1.5s\"); write \"1s\"\n"},
    {"a floor above both ceilings",
     "[cache]\nttl_max = \"10m\"\nnegative_ttl_max = \"5s\"\nttl_min = \"11m\"\n",
     "s.toml:4:11: ttl_min is above ttl_max (\"11m\"); lower it to at most \"10m\", or raise "
     "ttl_max\n"
     "s.toml:4:11: ttl_min is above negative_ttl_max (\"11m\"); lower it to at most \"5s\", or "
     "raise negative_ttl_max\n"},
    {"a file that the kernel would cut", "[cache]\nfile = \"/a\\u0000b\"\n",
     "s.toml:2:8: the path holds a zero octet (\"/a\\x00b\")\n"},
    {"a socket that the kernel would cut", "[control]\nsocket = \"/a\\u0000b\"\n",
     "s.toml:2:10: the path holds a zero octet (\"/a\\x00b\")\n"},
    {"a socket that cannot be bound",
     "[control]\nsocket = "
     "\"/12345678901234567890123456789012345678901234567890123456789012345678901234567890"
     "1234567890123456789012345678\"\n",
     "s.toml:2:10: the path is too long for a socket (\"/123456789012345678901234567890123456789012"
     "345678901234567890123456789012345678901234567890123456789012345678\"); it may have 107 "
     "octets "
     "and has 109\n"},
    {"nobody may ask", "[policy]\nallow = []\n",
     "s.toml:2:9: policy.allow is empty, so nobody could ask; name networks, or leave it out for "
     "the local ones\n"},
    {"an upstream that is none", "[[upstream]]\nurl = \"8.8.8.8\"\n",
     "s.toml:2:7: a plain DNS upstream cannot be authenticated (\"8.8.8.8\"); write "
     "\"tls://8.8.8.8#dns.google\" for DNS over TLS\n"},
    {"no URL", "[[upstream]]\npins = []\n",
     "s.toml:1:1: this upstream has no url; write url = \"tls://ADDRESS#AUTH-NAME\" or a "
     "provider's name\n"},
    {"an empty list of URLs", "[[upstream]]\nurl = []\n",
     "s.toml:2:7: the list of URLs is empty; write tls://ADDRESS#AUTH-NAME\n"},
    {"no upstreams", "upstream = []\n",
     "s.toml:1:12: no upstream is left; write [[upstream]] and url = "
     "\"tls://ADDRESS#AUTH-NAME\" or a provider's name, or leave it out for the default\n"},
    {"one bracket", "[upstream]\nurl = \"quad9\"\n",
     "s.toml:1:1: upstream must be a list of sections (\"{...}\"); write [[upstream]] with two "
     "brackets\n"},
    {"the upstreams' names", "upstream = [\"quad9\"]\n",
     "s.toml:1:13: upstream must be a list of sections (\"quad9\"); write [[upstream]] and url = "
     "...\n"},
    {"two providers in one", "[[upstream]]\nurl = [\"quad9\", \"google\"]\n",
     "s.toml:2:8: a provider's name stands for all its addresses and must stand alone "
     "(\"quad9\"); "
     "make it an [[upstream]] of its own\n"
     "s.toml:2:17: a provider's name stands for all its addresses and must stand alone "
     "(\"google\"); make it an [[upstream]] of its own\n"},
    {"two names in one", "[[upstream]]\nurl = [\"tls://192.0.2.1#a\", \"tls://192.0.2.2#b\"]\n",
     "s.toml:2:29: the URLs of one upstream must share the authentication name "
     "(\"tls://192.0.2.2#b\"); make it an [[upstream]] of its own\n"},
    {"the same upstream twice",
     "[[upstream]]\nurl = \"cloudflare\"\n[[upstream]]\nurl = "
     "\"tls://1.0.0.1#cloudflare-dns.com\"\n",
     "s.toml:3:1: duplicate upstream (\"tls://1.0.0.1#cloudflare-dns.com\"); it is part of "
     "\"cloudflare\"\n"},
    {"the same URL twice", "[[upstream]]\nurl = [\"tls://192.0.2.1\", \"tls://192.0.2.1:853\"]\n",
     "s.toml:1:1: duplicate upstream (\"tls://192.0.2.1\"); it is listed twice here\n"},
    {"a pin that is none", "[upstream_default]\npins = [\"sha1/AA==\"]\n",
     "s.toml:2:9: not a pin (\"sha1/AA==\"); write \"sha256/\" and the 44 base64 characters of a "
     "public key's SHA-256\n"},
    {"text of the file cannot forge a line", "\"a\\nb\\u001b\" = 1\n",
     "s.toml:1:1: unknown key (\"a\\x0ab\\x1b\"); known here: workers, query_timeout, bootstrap, "
     "state_directory, listen, policy, tcp, server_tls, discovery, group, upstream_default, "
     "upstream, hedge, "
     "health, tls, cache, log, control\n"},
};

TEST(ConfigReader, ErrorsSayWhereWhatAndWhatToWrite) {
  for (const Fault& c : faults) EXPECT_EQ(errors_of(read(c.text)), c.errors) << c.reason;
}

// The wording after the place is toml++'s own and changes with its versions.
TEST(ConfigReader, SyntaxErrorsHaveLineColumnAndText) {
  struct Case {
    const char* text;
    const char* begin;
    const char* end;
  };
  const Case cases[] = {
      {"workers = 1\nlisten = [\n", "s.toml:2:12: not valid TOML: ", " (\"listen = [\")\n"},
      {"workers = 1\nworkers = 2\n", "s.toml:2:11: not valid TOML: ", " (\"workers = 2\")\n"},
      {"\n\n  key value", "s.toml:3:7: not valid TOML: ", " (\"key value\")\n"},
      {"a = \"\xff\"", "s.toml:1:5: not valid TOML: ", " (\"a = \\\"\\xff\\\"\")\n"},
  };
  for (const Case& c : cases) {
    const std::string errors = errors_of(read(c.text));
    EXPECT_TRUE(errors.starts_with(c.begin)) << errors;
    EXPECT_TRUE(errors.ends_with(c.end)) << errors;
  }
}

TEST(ConfigReader, OverridesReplaceListsOfTheFile) {
  const std::string file = R"(
[listen]
udp = ["192.0.2.1:53"]
[upstream_default]
padding = false
ca_file = "/file.pem"
[[upstream]]
url = "google"
[log]
level = "error"
)";
  const Draft draft = read(file, {{"--listen", "SOTTO_LISTEN", {"127.0.0.1:1"}},
                                  {"--upstream", "SOTTO_UPSTREAM", {"quad9"}},
                                  {"--listen", "--listen", {"127.0.0.1:2", "[::1]:2"}},
                                  {"--upstream", "--upstream", {"tls://192.0.2.7", "cloudflare"}},
                                  {"--ca-file", "--ca-file", {"/cli.pem"}},
                                  {"--log-level", "--log-level", {"debug"}}});
  ASSERT_EQ(errors_of(draft), "");
  ASSERT_EQ(draft.config.listen.udp.size(), 2U);
  EXPECT_EQ(draft.config.listen.udp[0].address.text(), "127.0.0.1:2");
  EXPECT_EQ(draft.config.listen.tcp.size(), 2U);
  ASSERT_EQ(draft.config.upstreams.size(), 2U);
  EXPECT_EQ(draft.config.upstreams[0].name, "tls://192.0.2.7");
  EXPECT_EQ(draft.config.upstreams[1].name, "cloudflare");
  EXPECT_FALSE(draft.config.upstreams[0].padding) << "[upstream_default] stays in force";
  EXPECT_EQ(draft.config.upstreams[0].ca_file, "/cli.pem");
  EXPECT_EQ(draft.config.log.level, LogLevel::debug);
}

TEST(ConfigReader, OverridesAreCheckedAndNamed) {
  struct Case {
    Override given;
    const char* errors;
  };
  const Case cases[] = {
      {{"--listen", "--listen", {"53"}},
       "--listen: not an address and port (\"53\"); write \"127.0.0.1:53\"\n"},
      {{"--upstream", "SOTTO_UPSTREAM", {"quad8"}},
       "SOTTO_UPSTREAM: unknown provider (\"quad8\"); did you mean \"quad9\"?\n"},
      {{"--log-level", "--log-level", {"verbose"}},
       "--log-level: unknown log.level (\"verbose\"); write one of debug, info, warning, error\n"},
      {{"--upstream", "--upstream", {"quad9", "quad9"}},
       "--upstream: duplicate upstream (\"tls://9.9.9.9#dns.quad9.net\"); it is part of "
       "\"quad9\"\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(errors_of(read("", {c.given})), c.errors);
}

TEST(ConfigReader, ListenersFollowEachOther) {
  struct Case {
    const char* reason;
    const char* text;
    bool with_flag;
    const char* udp;
    const char* tcp;
  };
  const Case cases[] = {
      {"nothing said", "", false, "[127.0.0.1:5053 [::1]:5053]", "[127.0.0.1:5053 [::1]:5053]"},
      {"TCP follows UDP", "[listen]\nudp = [\"127.0.0.1:9\"]", false, "[127.0.0.1:9]",
       "[127.0.0.1:9]"},
      {"UDP follows TCP", "[listen]\ntcp = [\"127.0.0.1:9\"]", false, "[127.0.0.1:9]",
       "[127.0.0.1:9]"},
      {"UDP off", "[listen]\nudp = []", false, "[]", "[127.0.0.1:5053 [::1]:5053]"},
      {"TCP off", "[listen]\ntcp = []\nudp = [\"127.0.0.1:9\"]", false, "[127.0.0.1:9]", "[]"},
      {"--listen alone", "", true, "[127.0.0.1:1]", "[127.0.0.1:1]"},
      {"what is off stays off", "[listen]\ntcp = []", true, "[127.0.0.1:1]", "[]"},
      {"--listen replaces", "[listen]\ntcp = [\"127.0.0.1:9\"]", true, "[127.0.0.1:1]",
       "[127.0.0.1:1]"},
  };
  const auto list = [](const std::vector<ListenAddress>& addresses) {
    std::string text;
    for (const auto& listen : addresses) text += (text.empty() ? "" : " ") + listen.address.text();
    return "[" + text + "]";
  };
  for (const Case& c : cases) {
    std::vector<Override> overrides;
    if (c.with_flag) overrides.push_back({"--listen", "--listen", {"127.0.0.1:1"}});
    const Draft draft = read(c.text, overrides);
    EXPECT_EQ(errors_of(draft), "") << c.reason;
    EXPECT_EQ(list(draft.config.listen.udp), c.udp) << c.reason;
    EXPECT_EQ(list(draft.config.listen.tcp), c.tcp) << c.reason;
  }
  EXPECT_TRUE(read("").config.listen.udp.at(0).is_default);
}

TEST(ConfigReader, SizesAreTextOrNumbers) {
  struct Case {
    const char* text;
    std::size_t octets;
  };
  const Case cases[] = {
      {"\"512KiB\"", 524'288},
      {"524288", 524'288},
      {"0", 0},
      {"\"0\"", 0},
      {"\"1TiB\"", std::size_t{1} << 40U},
  };
  for (const Case& c : cases) {
    const Draft draft = read("[cache]\nsize = " + std::string(c.text) + "\n");
    EXPECT_EQ(errors_of(draft), "") << c.text;
    EXPECT_EQ(draft.config.cache.size_octets, c.octets) << c.text;
  }
}

// Where negative answers are not kept, the floor has nothing to say about them.
TEST(ConfigReader, AFloorAndNoNegativeAnswersGoTogether) {
  const Draft draft = read("[cache]\nttl_min = \"5s\"\nnegative_ttl_max = \"0s\"\n");
  EXPECT_EQ(errors_of(draft), "");
  EXPECT_EQ(draft.config.cache.ttl_min.count(), 5);
}

TEST(ConfigReader, SectionsWithinSectionsHaveThreeSpellings) {
  for (const char* text : {"[cache.stale]\nmax_age = \"2d\"\n", "cache.stale.max_age = \"2d\"\n",
                           "[cache]\nstale = {max_age = \"2d\"}\n"}) {
    const Draft draft = read(text);
    EXPECT_EQ(errors_of(draft), "") << text;
    EXPECT_EQ(draft.config.cache.stale_max_age, std::chrono::hours{48}) << text;
  }
}

TEST(ConfigReader, TheControlSocketIsAutomaticOffOrAPath) {
  struct Case {
    const char* text;
    const char* socket;
  };
  const Case cases[] = {{"", "auto"},
                        {"[control]\nsocket = \"auto\"\n", "auto"},
                        {"[control]\nsocket = \"\"\n", ""},
                        {"[control]\nsocket = \"/run/s\"\n", "/run/s"},
                        {"[control]\nsocket = \"./auto\"\n", "/etc/sotto/auto"}};
  for (const Case& c : cases) {
    const Draft draft = read_config(ConfigText{"/etc/sotto/sotto.toml", c.text}, {});
    EXPECT_EQ(errors_of(draft), "") << c.text;
    EXPECT_EQ(draft.config.control.socket, c.socket) << c.text;
  }
}

TEST(ConfigReader, RelativePathsStartAtTheFile) {
  const Draft draft = read_config(
      ConfigText{"/etc/sotto/sotto.toml", "[upstream_default]\nca_file = \"../ca.pem\"\n"}, {});
  EXPECT_EQ(draft.config.upstreams.at(0).ca_file, "/etc/ca.pem");
  const Draft cache =
      read_config(ConfigText{"/etc/sotto/sotto.toml", "[cache]\nfile = \"saved\"\n"}, {});
  EXPECT_EQ(cache.config.cache.file, "/etc/sotto/saved");
}

}  // namespace
}  // namespace sotto
