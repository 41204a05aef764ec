#include <gtest/gtest.h>

#include "app/config_reader.h"
#include "app/config_source.h"

namespace sotto {
namespace {

Draft read(const std::string& text) {
  return read_config(ConfigText{"/s.toml", text}, {});
}

TEST(ConfigText, IsReadBackToTheSame) {
  const char* const texts[] = {
      "",
      "workers = \"auto\"\n[listen]\nudp = [\"0.0.0.0:53\"]\ntcp = []\n",
      "[[upstream]]\nurl = \"google\"\nca_file = \"we\\\"ird\\u0001\\\\ü.pem\"\n"
      "[[upstream]]\nurl = [\"tls://192.0.2.1:53#a.example\", \"tls://[2001:db8::1]#a.example\"]\n"
      "pins = [\"sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"]\nidle_timeout = \"0s\"\n",
      "[cache]\nsize = 0\nttl_max = \"90m\"\nprefetch = 0\nfile = \"/c\"\nsave_interval = \"0s\"\n"
      "[cache.stale]\nmax_age = \"0s\"\n[control]\nsocket = \"\"\n",
      "bootstrap = [\"quad9\", \"tls://192.0.2.1:53#a.example\"]\nstate_directory = \"/s\"\n"
      "[listen]\nadmin = \"[::1]:9053\"\n[[group]]\nname = \"b\"\nselect = \"hash\"\n"
      "[[upstream]]\nurl = \"tls://dns.example:8853\"\nkeep_warm = \"0s\"\n"
      "[[upstream]]\nurl = \"tls://dns.example#b.example\"\ngroup = \"b\"\nmark = 5\n"
      "[[upstream]]\nurl = \"quad9\"\nsource = \"192.0.2.7\"\n"
      "[[upstream]]\nurl = \"quad9\"\ninterface = \"wg0\"\n",
      "[listen]\nadmin = \"\"\n[hedge]\nbudget = 0\n[health]\nname = \"a\\\\.b.example\"\n"
      "interval = \"1m\"\n[tls]\nticket_file = \"/t\"\n",
      "query_timeout = \"1.234s\"\n[policy]\nallow = [\"10.0.0.0/8\", \"2001:db8::/32\"]\n",
  };
  for (const char* text : texts) {
    const Draft first = read(text);
    ASSERT_TRUE(first.errors.empty()) << first.errors[0].text();
    const std::string printed = config_text(first.config);
    const Draft second = read(printed);
    ASSERT_TRUE(second.errors.empty()) << second.errors[0].text() << "\n" << printed;
    EXPECT_EQ(config_text(second.config), printed);
    EXPECT_EQ(second.config.upstreams.size(), first.config.upstreams.size());
    EXPECT_EQ(second.config.listen.udp.at(0).is_default, first.config.listen.udp.at(0).is_default);
    EXPECT_EQ(second.config.query_timeout, first.config.query_timeout);
    EXPECT_EQ(second.config.cache.size_octets, first.config.cache.size_octets);
    EXPECT_EQ(second.config.cache.stale_max_age, first.config.cache.stale_max_age);
    EXPECT_EQ(second.config.control.socket, first.config.control.socket);
    EXPECT_EQ(second.config.listen.admin.has_value(), first.config.listen.admin.has_value());
    EXPECT_EQ(second.config.health.probe_name, first.config.health.probe_name);
    EXPECT_EQ(second.config.bootstrap.size(), first.config.bootstrap.size());
    ASSERT_EQ(second.config.groups.size(), first.config.groups.size());
    for (std::size_t i = 0; i < first.config.groups.size(); ++i) {
      EXPECT_EQ(second.config.groups[i].name, first.config.groups[i].name);
      EXPECT_EQ(second.config.groups[i].selection, first.config.groups[i].selection);
    }
    for (std::size_t i = 0; i < first.config.upstreams.size(); ++i) {
      EXPECT_EQ(second.config.upstreams[i].name, first.config.upstreams[i].name);
      EXPECT_EQ(second.config.upstreams[i].group, first.config.upstreams[i].group);
    }
  }
}

TEST(ConfigText, ShowsTheDefaults) {
  const std::string text = config_text(read("").config);
  EXPECT_NE(text.find("workers = 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n[listen]\n# default: udp = [\"127.0.0.1:5053\", \"[::1]:5053\"]\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\n[cache]\nsize = \"128MiB\"\nttl_min = \"0s\"\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("\n[cache.stale]\nmax_age = \"1d\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n# default: admin = \"127.0.0.1:9053\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n[[group]]\nname = \"cloudflare\"\nselect = \"fastest\"\n\n[[group]]\n"
                      "name = \"quad9\"\nselect = \"fastest\"\n\n[[upstream]]\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\n[[upstream]]\n# cloudflare-dns.com at 1.1.1.1:853 "), std::string::npos)
      << text;
}

TEST(ConfigText, RestartIsNeededForWhatAReloadCannotChange) {
  const Config running = read("").config;
  struct Case {
    const char* text;
    std::vector<std::string> keys;
  };
  const Case cases[] = {
      {"", {}},
      {"workers = 2\n[log]\nlevel = \"debug\"\nformat = \"json\"\n", {"workers", "log.format"}},
      {"[listen]\nudp = [\"127.0.0.1:5053\", \"[::1]:5053\"]\n", {}},
      {"[listen]\nudp = [\"127.0.0.1:53\"]\n", {"listen.udp", "listen.tcp"}},
      {"query_timeout = \"1s\"\n[[upstream]]\nurl = \"google\"\n[policy]\ntest_name = false\n", {}},
      {"[tcp]\nidle_timeout = \"1s\"\nconnections_max = 1\nconnections_per_client_max = 1\n",
       {"tcp.idle_timeout", "tcp.connections_max", "tcp.connections_per_client_max"}},
      {"[cache]\nttl_min = \"1s\"\nprefetch = 1\nsave_interval = \"1s\"\nstale.max_age = \"1s\"\n",
       {}},
      {"[cache]\nsize = \"1MiB\"\nfile = \"/c\"\n[control]\nsocket = \"\"\n",
       {"cache.size", "cache.file", "control.socket"}},
      {"bootstrap = [\"quad9\"]\n[[group]]\nname = \"quad9\"\nselect = \"all\"\n"
       "[hedge]\nbudget = 0\n[health]\nname = \"a\"\ninterval = \"1m\"\n"
       "[upstream_default]\nmark = 1\n",
       {}},
      {"state_directory = \"/s\"\n[listen]\nadmin = \"\"\n[tls]\nticket_file = \"/t\"\n",
       {"state_directory", "listen.admin", "tls.ticket_file"}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(restart_needed(running, read(c.text).config), c.keys) << c.text;
  }
}

}  // namespace
}  // namespace sotto
