#include "app/upstream_reader.h"

#include <gtest/gtest.h>

#include "app/config_reader.h"

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

// "name:selection name:selection", then the upstreams with their groups.
std::string groups_of(const Config& config) {
  std::string text;
  for (const GroupConfig& group : config.groups) {
    text += (text.empty() ? "" : " ") + group.name + ":" + std::string(to_text(group.selection));
  }
  for (const UpstreamConfig& upstream : config.upstreams) {
    text += " | " + upstream.name + " " + upstream.group;
  }
  return text;
}

TEST(UpstreamReader, EveryKeyArrives) {
  const Draft draft = read(R"(
bootstrap = ["tls://192.0.2.53:8853#boot.example", "quad9"]
state_directory = "/var/lib/sotto"
[listen]
admin = "[::1]:9153"
[[group]]
name = "own"
select = "hash"
[[upstream]]
url = "tls://dns.example:8853#other.example"
group = "own"
keep_warm = "1m"
source = ["192.0.2.7", "2001:db8::7"]
interface = "wg0"
mark = 4294967295
[upstream_default]
source = "192.0.2.8"
mark = 7
padding = false
[hedge]
budget = 20
[health]
name = "Example.com"
interval = "30s"
[tls]
ticket_file = "/var/lib/sotto/tickets"
)");
  ASSERT_EQ(errors_of(draft), "");
  const Config& config = draft.config;
  EXPECT_EQ(config.state_directory, "/var/lib/sotto");
  ASSERT_TRUE(config.listen.admin.has_value());
  EXPECT_EQ(config.listen.admin->address.text(), "[::1]:9153");
  EXPECT_FALSE(config.listen.admin->is_default);
  EXPECT_EQ(groups_of(config), "own:hash | tls://dns.example:8853#other.example own");
  const UpstreamConfig& upstream = config.upstreams[0];
  EXPECT_TRUE(upstream.endpoints.empty());
  EXPECT_EQ(upstream.host, "dns.example");
  EXPECT_EQ(upstream.port, 8'853);
  EXPECT_EQ(upstream.auth_name, "other.example");
  EXPECT_EQ(upstream.keep_warm.count(), 60'000);
  ASSERT_EQ(upstream.sources.size(), 2U);
  EXPECT_EQ(upstream.sources[1].text(), "2001:db8::7");
  EXPECT_EQ(upstream.interface, "wg0");
  EXPECT_EQ(upstream.mark, 4'294'967'295U);
  EXPECT_EQ(config.hedge_percent, 20U);
  EXPECT_EQ(name_to_text(config.health.probe_name.octets()), "Example.com.");
  EXPECT_EQ(config.health.probe_interval.count(), 30'000);
  EXPECT_EQ(config.tls.ticket_file, "/var/lib/sotto/tickets");

  ASSERT_EQ(config.bootstrap.size(), 2U);
  EXPECT_EQ(config.bootstrap[0].endpoints.at(0).text(), "192.0.2.53:8853");
  EXPECT_EQ(config.bootstrap[0].auth_name, "boot.example");
  EXPECT_EQ(config.bootstrap[0].mark, 7U) << "[upstream_default] holds for them";
  EXPECT_FALSE(config.bootstrap[0].padding);
  EXPECT_EQ(config.bootstrap[1].provider, "quad9");
  EXPECT_EQ(config.bootstrap[1].endpoints.size(), 4U);
}

TEST(UpstreamReader, GroupsComeInTheOrderOfTheirSectionsThenOfUpstreams) {
  struct Case {
    const char* reason;
    const char* text;
    const char* groups;
  };
  const Case cases[] = {
      {"the built-in pair is ordered", "",
       "cloudflare:fastest quad9:fastest | cloudflare "
       "cloudflare | quad9 quad9"},
      {"its groups can be turned round", "[[group]]\nname = \"quad9\"\n",
       "quad9:fastest cloudflare:fastest | cloudflare cloudflare | quad9 quad9"},
      {"the same two, configured, are one group",
       "[[upstream]]\nurl = \"cloudflare\"\n[[upstream]]\nurl = \"quad9\"\n",
       "default:fastest | cloudflare default | quad9 default"},
      {"the group without a name can be said how to select",
       "[[group]]\nname = \"default\"\nselect = \"order\"\n[[upstream]]\nurl = \"google\"\n",
       "default:order | google default"},
      {"sections first, in their order",
       "[[upstream]]\nurl = \"google\"\ngroup = \"c\"\n[[upstream]]\nurl = \"quad9\"\n"
       "[[upstream]]\nurl = \"cloudflare\"\ngroup = \"a\"\n"
       "[[upstream]]\nurl = \"tls://192.0.2.1\"\ngroup = \"b\"\n"
       "[[group]]\nname = \"b\"\nselect = \"all\"\n[[group]]\nname = \"a\"\nselect = \"random\"\n",
       "b:all a:random c:fastest default:fastest | google c | quad9 default | cloudflare a | "
       "tls://192.0.2.1 b"},
  };
  for (const Case& c : cases) {
    const Draft draft = read(c.text);
    EXPECT_EQ(errors_of(draft), "") << c.reason;
    EXPECT_EQ(groups_of(draft.config), c.groups) << c.reason;
  }
}

// Those of the command line replace upstreams, and the file's groups say how to choose among them.
TEST(UpstreamReader, GroupsOfTheFileHoldForUpstreamsOfTheCommandLine) {
  const Draft draft = read(
      "[[group]]\nname = \"own\"\n[[group]]\nname = \"default\"\nselect = \"order\"\n"
      "[[upstream]]\nurl = \"google\"\ngroup = \"own\"\n",
      {{"--upstream", "--upstream", {"quad9", "tls://192.0.2.1"}}});
  EXPECT_EQ(errors_of(draft), "");
  EXPECT_EQ(groups_of(draft.config), "default:order | quad9 default | tls://192.0.2.1 default");
}

TEST(UpstreamReader, HostsAreLookedUpByUpstreamsOrBootstrapServers) {
  const std::string host = "[[upstream]]\nurl = \"tls://dns.example\"\n";
  const std::vector<Override> flag{{"--bootstrap", "--bootstrap", {"quad9"}}};
  EXPECT_EQ(errors_of(read(host + "[[upstream]]\nurl = \"tls://192.0.2.1\"\n")), "");
  EXPECT_EQ(errors_of(read("bootstrap = [\"tls://192.0.2.1\"]\n" + host)), "");
  EXPECT_EQ(errors_of(read(host, flag)), "");
  EXPECT_EQ(errors_of(read("", {{"--upstream", "--upstream", {"tls://dns.example"}}})),
            "--upstream: nothing could look up the address of this upstream "
            "(\"tls://dns.example\"); write --bootstrap tls://ADDRESS#AUTH-NAME, or add an "
            "upstream given by address\n");
  EXPECT_EQ(read("bootstrap = [\"tls://192.0.2.1\"]\n" + host, flag).config.bootstrap.at(0).name,
            "quad9")
      << "a list replaces a list";
}

// Two uplinks to one server are two paths, and each upstream has a name of its own.
TEST(UpstreamReader, OneServerOverTwoWaysIsTwoUpstreams) {
  const Draft draft = read(
      "[[upstream]]\nurl = \"quad9\"\ninterface = \"wan0\"\n"
      "[[upstream]]\nurl = \"quad9\"\nsource = [\"192.0.2.7\", \"2001:db8::7\"]\nmark = 3\n"
      "[[upstream]]\nurl = \"google\"\nmark = 3\n");
  EXPECT_EQ(errors_of(draft), "");
  EXPECT_EQ(groups_of(draft.config),
            "default:fastest | quad9 via wan0 default | quad9 from 192.0.2.7 and 2001:db8::7 with "
            "mark 3 default | google default");
}

struct Fault {
  const char* reason;
  const char* text;
  const char* errors;
};
const Fault faults[] = {
    {"an unknown way to select",
     "[[upstream]]\nurl = \"quad9\"\n[[group]]\nname = \"default\"\nselect = \"fast\"\n",
     "s.toml:5:10: unknown group.select (\"fast\"); write one of fastest, order, random, hash, "
     "all\n"},
    {"nearly one",
     "[[upstream]]\nurl = \"quad9\"\n[[group]]\nname = \"default\"\n"
     "select = \"fastst\"\n",
     "s.toml:5:10: unknown group.select (\"fastst\"); did you mean \"fastest\"? write one of "
     "fastest, order, random, hash, all\n"},
    {"a group twice", "[[group]]\nname = \"quad9\"\n[[group]]\nname = \"quad9\"\n",
     "s.toml:4:8: this group is there twice (\"quad9\"); write one [[group]] for it\n"},
    {"a group without a name", "[[group]]\nselect = \"all\"\n",
     "s.toml:1:1: this group has no name; write name = \"NAME\"\n"},
    {"a group nobody is in", "[[group]]\nname = \"own\"\n[[upstream]]\nurl = \"quad9\"\n",
     "s.toml:2:8: no upstream belongs to this group (\"own\"); write group = \"own\" in the "
     "[[upstream]] sections of its own\n"},
    {"a group misspelt",
     "[[group]]\nname = \"offices\"\n[[upstream]]\nurl = \"quad9\"\ngroup = \"office\"\n",
     "s.toml:2:8: no upstream belongs to this group (\"offices\"); did you mean \"office\"?\n"},
    {"names of groups", "[[group]]\nname = \"a b\"\n[[upstream]]\nurl = \"quad9\"\ngroup = \"\"\n",
     "s.toml:2:8: not a name of a group (\"a b\"); write up to 63 letters, digits, hyphens, "
     "underscores and dots\n"
     "s.toml:5:9: not a name of a group (\"\"); write up to 63 letters, digits, hyphens, "
     "underscores and dots\n"},
    {"one bracket", "[group]\nname = \"a\"\n",
     "s.toml:1:1: group must be a list of sections (\"{...}\"); write [[group]] with two "
     "brackets\n"},
    {"a group's key that does not exist", "[[group]]\nname = \"quad9\"\nselct = \"all\"\n",
     "s.toml:3:1: unknown key (\"selct\"); did you mean \"select\"?\n"},
    {"the group is no default", "[upstream_default]\ngroup = \"a\"\n",
     "s.toml:2:1: unknown key (\"group\"); did you mean \"upstream.group\"?\n"},
    {"too many to ask all",
     "[[group]]\nselect = \"all\"\nname = \"default\"\n"
     "[[upstream]]\nurl = \"quad9\"\n[[upstream]]\nurl = \"google\"\n"
     "[[upstream]]\nurl = \"cloudflare\"\n[[upstream]]\nurl = \"tls://192.0.2.1\"\n"
     "[[upstream]]\nurl = \"tls://192.0.2.2\"\n",
     "s.toml:2:10: this group has 5 upstreams, too many to ask all (\"all\"); leave at most 4, or "
     "write \"fastest\"\n"},
    {"nothing could look it up", "[[upstream]]\nurl = \"tls://dns.example\"\n",
     "s.toml:2:7: nothing could look up the address of this upstream (\"tls://dns.example\"); "
     "write bootstrap = [\"tls://ADDRESS#AUTH-NAME\"], or add an upstream given by address\n"},
    {"a provider's name would do", "[[upstream]]\nurl = \"tls://dns.quad9.net\"\n",
     "s.toml:2:7: nothing could look up the address of this upstream (\"tls://dns.quad9.net\"); "
     "write \"quad9\", or bootstrap = [\"tls://ADDRESS#AUTH-NAME\"]\n"},
    {"a host among addresses",
     "[[upstream]]\nurl = [\"tls://192.0.2.1#dns.example\", \"tls://dns.example\"]\n",
     "s.toml:2:39: a host stands for all its addresses and must stand alone "
     "(\"tls://dns.example\"); make it an [[upstream]] of its own\n"},
    {"a host twice",
     "bootstrap = [\"quad9\"]\n[[upstream]]\nurl = \"tls://dns.example\"\n"
     "[[upstream]]\nurl = \"tls://DNS.example:853\"\n",
     "s.toml:4:1: duplicate upstream (\"tls://dns.example\"); it is part of "
     "\"tls://dns.example\"\n"},
    {"a host that would need bootstrapping itself", "bootstrap = [\"tls://dns.example\"]\n",
     "s.toml:1:14: a bootstrap server must be given by its address (\"tls://dns.example\"); write "
     "tls://ADDRESS#dns.example\n"},
    {"plain DNS", "bootstrap = [\"192.0.2.1\", \"udp://9.9.9.9\"]\n",
     "s.toml:1:14: a plain DNS upstream cannot be authenticated (\"192.0.2.1\"); write "
     "\"tls://192.0.2.1\" for DNS over TLS, with #AUTH-NAME unless the certificate names the "
     "address\n"
     "s.toml:1:27: a plain DNS upstream cannot be authenticated (\"udp://9.9.9.9\"); write "
     "\"tls://9.9.9.9#dns.quad9.net\" for DNS over TLS\n"},
    {"a bootstrap server twice", "bootstrap = [\"quad9\", \"tls://9.9.9.9#dns.quad9.net\"]\n",
     "s.toml:1:23: duplicate upstream (\"tls://9.9.9.9#dns.quad9.net\"); it is part of "
     "\"quad9\"\n"},
    {"sources", "[[upstream]]\nurl = \"quad9\"\nsource = [\"wan0\", \"0.0.0.0\", \"::\"]\n",
     "s.toml:3:11: not an IP address (\"wan0\"); write \"192.0.2.1\" or \"2001:db8::1\"\n"
     "s.toml:3:19: the unspecified address is nobody's (\"0.0.0.0\"); leave it out, and the "
     "routing decides\n"
     "s.toml:3:30: the unspecified address is nobody's (\"::\"); leave it out, and the routing "
     "decides\n"},
    {"two of one family",
     "[upstream_default]\nsource = [\"192.0.2.1\", \"2001:db8::1\", \"192.0.2.2\"]\n",
     "s.toml:2:39: a second IPv4 address (\"192.0.2.2\"); write at most one of each family\n"},
    {"a source of no use",
     "[[upstream]]\nurl = \"tls://192.0.2.1\"\nsource = [\"192.0.2.7\", \"2001:db8::7\"]\n",
     "s.toml:3:24: this upstream has no IPv6 address to reach from here (\"2001:db8::7\"); add one "
     "to its url, or leave the source out\n"},
    {"a source that is a default is for others",
     "[upstream_default]\nsource = [\"192.0.2.7\", \"2001:db8::7\"]\n"
     "[[upstream]]\nurl = \"tls://192.0.2.1\"\n",
     ""},
    {"interfaces",
     "[upstream_default]\ninterface = \"sixteen-letters-\"\n[[upstream]]\nurl = \"quad9\"\n"
     "interface = \"a/b\"\n",
     "s.toml:2:13: not a name of a network interface (\"sixteen-letters-\"); write one that ip "
     "link shows, such as \"wg0\"\n"
     "s.toml:5:13: not a name of a network interface (\"a/b\"); write one that ip link shows, such "
     "as \"wg0\"\n"},
    {"a link-local address of no link",
     "bootstrap = [\"tls://[fe80::9]\"]\n[[upstream]]\nurl = [\"tls://192.0.2.1\", "
     "\"tls://[fe80::1]:8853\"]\nsource = [\"fe80::2\"]\n[[upstream]]\n"
     "url = \"tls://[fe80::3]\"\ninterface = \"wg0\"\n",
     "s.toml:1:14: a link-local address needs its zone, the interface (\"tls://[fe80::9]\"); "
     "write tls://[fe80::9%eth0], or set the upstream's interface\n"
     "s.toml:3:27: a link-local address needs its zone, the interface (\"tls://[fe80::1]:8853\"); "
     "write tls://[fe80::1%eth0], or set the upstream's interface\n"
     "s.toml:4:11: a link-local address needs its zone, the interface (\"fe80::2\"); write "
     "\"fe80::2%eth0\", or set the upstream's interface\n"},
    {"a mark of more than 32 bits", "[upstream_default]\nmark = 4294967296\n",
     "s.toml:2:8: mark is out of range (\"4294967296\"); it must be from 0 to 4294967295\n"},
    {"the same way twice",
     "[[upstream]]\nurl = \"quad9\"\nmark = 1\n[[upstream]]\nurl = "
     "\"tls://[2620:fe::9]#dns.quad9.net\""
     "\nmark = 1\n",
     "s.toml:4:1: duplicate upstream (\"tls://[2620:fe::9]#dns.quad9.net\"); it is part of "
     "\"quad9\"\n"},
    {"a name to ask for", "[health]\nname = \"a..b\"\ninterval = \"100ms\"\n",
     "s.toml:2:8: not a domain name (\"a..b\"); write \".\" or \"example.com\"\n"
     "s.toml:3:12: interval is out of range (\"100ms\"); it must be from 1s to 1h, or 0s\n"},
    {"more percent than there are", "[hedge]\nbudget = 101\n",
     "s.toml:2:10: budget is out of range (\"101\"); it must be from 0 to 100\n"},
    {"the admin's address", "[listen]\nadmin = \"localhost\"\n",
     "s.toml:2:9: not an address and port (\"localhost\"); write \"127.0.0.1:9053\"\n"},
    {"its port", "[listen]\nadmin = \"127.0.0.1\"\n",
     "s.toml:2:9: the port is missing (\"127.0.0.1\"); write \"127.0.0.1:9053\"\n"},
    {"its port, in IPv6", "[listen]\nadmin = \"::1\"\n",
     "s.toml:2:9: an IPv6 address needs brackets and a port (\"::1\"); write \"[::1]:9053\"\n"},
    {"no port", "[listen]\nadmin = \"127.0.0.1:0\"\n",
     "s.toml:2:9: port 0 cannot be listened on (\"127.0.0.1:0\"); the default is 9053\n"},
    {"no list", "[listen]\nadmin = [\"127.0.0.1:9053\"]\n",
     "s.toml:2:9: admin has the wrong type (\"[...]\"); write a string\n"},
    {"a port that answers DNS", "[listen]\nadmin = \"127.0.0.1:53\"\ntcp = [\"0.0.0.0:53\"]\n",
     "s.toml:2:9: this address and one of listen.tcp collide (\"127.0.0.1:53\"); \"0.0.0.0:53\" "
     "answers DNS; give admin another port\n"},
    {"paths", "state_directory = \"/a\\u0000\"\n[tls]\nticket_file = \"\\u0000\"\n",
     "s.toml:1:19: the path holds a zero octet (\"/a\\x00\")\n"
     "s.toml:3:15: the path holds a zero octet (\"\\x00\")\n"},
};

TEST(UpstreamReader, ErrorsSayWhereWhatAndWhatToWrite) {
  for (const Fault& c : faults) EXPECT_EQ(errors_of(read(c.text)), c.errors) << c.reason;
}

TEST(UpstreamReader, TheAdminListenerIsDefaultOffOrAnAddress) {
  const Draft nothing = read("");
  ASSERT_TRUE(nothing.config.listen.admin.has_value());
  EXPECT_EQ(nothing.config.listen.admin->address.text(), "127.0.0.1:9053");
  EXPECT_TRUE(nothing.config.listen.admin->is_default);
  EXPECT_FALSE(read("[listen]\nadmin = \"\"\n").config.listen.admin.has_value());
  EXPECT_EQ(errors_of(read("[listen]\ntcp = [\"127.0.0.1:9053\"]\n")), "")
      << "the default gives way";
}

}  // namespace
}  // namespace sotto
