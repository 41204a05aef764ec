#include "app/listen_reader.h"

#include <gtest/gtest.h>

#include "app/config_reader.h"
#include "app/config_source.h"

namespace sotto {
namespace {

std::string errors_of(const Draft& draft) {
  std::string text;
  for (const ConfigError& error : draft.errors) text += error.text() + "\n";
  return text;
}

// Encrypted listeners need a certificate, which is not what these tests are about.
Draft read(std::string text, const std::vector<InheritedAddress>& inherited = {}) {
  if (text.find("[server_tls]") == std::string::npos) {
    text += "\n[server_tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";
  }
  return read_config(ConfigText{"/etc/s.toml", text}, {}, inherited);
}

std::string networks(const ListenAddress& listen) {
  std::string text;
  for (const Network& network : listen.proxy_from) text += network.text() + " ";
  return text;
}

TEST(ListenReader, TablesSayWhatBelongsToAnAddress) {
  const Draft draft = read(R"(
[listen]
udp = ["127.0.0.1:53", { address = "[::1]:53", proxy_from = ["10.0.0.0/8", "2001:db8::1"] }]
tcp = []
tls = [{ address = "192.0.2.1:853", client_ca = "ca.pem" }]
[[listen.https]]
address = "192.0.2.1:443"
client_ca = "/other.pem"
client_certificate = "optional"
path = "/dns"
)");
  ASSERT_EQ(errors_of(draft), "");
  const Config::Listen& listen = draft.config.listen;
  ASSERT_EQ(listen.udp.size(), 2U);
  EXPECT_EQ(networks(listen.udp[0]), "");
  EXPECT_EQ(listen.udp[1].address.text(), "[::1]:53");
  EXPECT_EQ(networks(listen.udp[1]), "10.0.0.0/8 2001:db8::1/128 ");
  EXPECT_TRUE(listen.tcp.empty());
  ASSERT_EQ(listen.tls.size(), 1U);
  EXPECT_EQ(listen.tls[0].client_ca, "/etc/ca.pem") << "it starts at the file";
  EXPECT_TRUE(listen.tls[0].client_certificate_required);
  EXPECT_EQ(listen.tls[0].path, "/dns-query");
  ASSERT_EQ(listen.https.size(), 1U);
  EXPECT_FALSE(listen.https[0].client_certificate_required);
  EXPECT_EQ(listen.https[0].path, "/dns");
  ASSERT_EQ(draft.client_cas.size(), 2U);
  EXPECT_EQ(draft.client_cas.at("/etc/ca.pem").line, 5U);
  EXPECT_EQ(draft.client_cas.at("/other.pem").line, 8U);
  EXPECT_EQ(listen_text(listen.udp),
            "[\"127.0.0.1:53\", { address = \"[::1]:53\", proxy_from = [\"10.0.0.0/8\", "
            "\"2001:db8::1/128\"] }]");
  EXPECT_EQ(listen_text(listen.https),
            "[{ address = \"192.0.2.1:443\", client_ca = \"/other.pem\", client_certificate = "
            "\"optional\", path = \"/dns\" }]");
}

// What follows, follows with all that belongs to it; what is encrypted is not there unasked.
TEST(ListenReader, TcpFollowsUdpWithItsProxies) {
  const Draft draft =
      read("[listen]\nudp = [{ address = \"127.0.0.1:53\", proxy_from = [\"10.0.0.1\"] }]\n");
  ASSERT_EQ(errors_of(draft), "");
  ASSERT_EQ(draft.config.listen.tcp.size(), 1U);
  EXPECT_EQ(networks(draft.config.listen.tcp[0]), "10.0.0.1/32 ");
  EXPECT_TRUE(draft.config.listen.tls.empty());
  EXPECT_TRUE(draft.config.listen.https.empty());
  EXPECT_EQ(errors_of(read("[listen]\nudp = []\ntcp = []\ntls = [\"127.0.0.1:853\"]\n")), "");
}

struct Fault {
  const char* reason;
  const char* listen;
  const char* errors;  // without the file's name
};

const Fault faults[] = {
    {"no port", "tls = [\"192.0.2.1\"]",
     "2:8: the port is missing (\"192.0.2.1\"); write \"192.0.2.1:853\"\n"},
    {"port 0", "https = [\"192.0.2.1:0\"]",
     "2:10: port 0 cannot be listened on (\"192.0.2.1:0\"); the port of DNS over HTTPS is 443\n"},
    {"a link-local address of no link", "udp = [\"127.0.0.1:53\", \"[fe80::1]:53\"]",
     "2:24: a link-local address needs its zone, the interface (\"[fe80::1]:53\"); write "
     "\"[fe80::1%eth0]:53\"\n"},
    {"a misspelt key", "udp = [{ address = \"127.0.0.1:53\", proxy-from = [] }]",
     "2:36: unknown key (\"proxy-from\"); did you mean \"proxy_from\"?\n"},
    {"a key of elsewhere", "udp = [{ address = \"127.0.0.1:53\", test_name = true }]",
     "2:36: unknown key (\"test_name\"); did you mean \"policy.test_name\"?\n"},
    {"a key of a listener elsewhere", "path = \"/\"",
     "2:1: unknown key (\"path\"); known here: udp, tcp, tls, https, admin\n"},
    {"no address", "tls = [{ client_ca = \"ca.pem\" }]",
     "2:8: this listener has no address; write address = \"ADDR:PORT\"\n"},
    {"a wrong address in a table", "tls = [{ address = \"localhost:853\" }]",
     "2:20: not an address and port (\"localhost:853\"); write \"127.0.0.1:853\"\n"},
    {"wrong types", "tls = [{ address = 853, proxy_from = \"10.0.0.0/8\" }]",
     "2:20: address has the wrong type (\"853\"); write a string\n"
     "2:38: proxy_from has the wrong type (\"10.0.0.0/8\"); write a list of strings: "
     "[\"NETWORK\", ...]\n"},
    {"no network", "tcp = [{ address = \"127.0.0.1:53\", proxy_from = [\"proxy\"] }]",
     "2:50: not a network (\"proxy\"); write \"10.0.0.0/8\", \"fd00::/8\" or \"192.0.2.1\"\n"},
    {"certificates without TLS",
     "tcp = [{ address = \"127.0.0.1:53\", client_ca = \"a\", client_certificate = \"optional\" "
     "}]",
     "2:36: this key does not fit listen.tcp (\"client_ca\"); certificates of clients are for "
     "listen.tls and listen.https\n"
     "2:53: this key does not fit listen.tcp (\"client_certificate\"); certificates of clients "
     "are for listen.tls and listen.https\n"},
    {"a path without HTTP", "tls = [{ address = \"127.0.0.1:853\", path = \"/\" }]",
     "2:37: this key does not fit listen.tls (\"path\"); a path is for listen.https\n"},
    {"optional what", "tls = [{ address = \"127.0.0.1:853\", client_certificate = \"optional\" }]",
     "2:37: this key needs client_ca (\"client_certificate\"); name the file of the authorities "
     "that clients' certificates are checked against\n"},
    {"no such choice",
     "tls = [{ address = \"127.0.0.1:853\", client_ca = \"a\", client_certificate = \"some\" }]",
     "2:75: unknown client_certificate (\"some\"); write one of required, optional\n"},
    {"an empty file name", "tls = [{ address = \"127.0.0.1:853\", client_ca = \"\" }]",
     "2:49: client_ca is empty; name a file, or leave it out\n"},
    {"a relative path", "https = [{ address = \"127.0.0.1:443\", path = \"dns-query\" }]",
     "2:46: not a path (\"dns-query\"); it begins with \"/\" and has no blank, \"?\" or \"#\", "
     "such as \"/dns-query\"\n"},
    {"a query", "https = [{ address = \"127.0.0.1:443\", path = \"/a?b\" }]",
     "2:46: not a path (\"/a?b\"); it begins with \"/\" and has no blank, \"?\" or \"#\", such "
     "as "
     "\"/dns-query\"\n"},
    {"a template", "https = [{ address = \"127.0.0.1:443\", path = \"/dns-query{?dns}\" }]",
     "2:46: a path is not a URI template (\"/dns-query{?dns}\"); write \"/dns-query\"\n"},
    {"a string and a table", "tls = [\"127.0.0.1:853\", { address = \"127.0.0.1:853\" }]",
     "2:37: this address is listed twice (\"127.0.0.1:853\")\n"},
    {"streams share no address", "tcp = [\"0.0.0.0:53\"]\ntls = [\"127.0.0.1:53\"]",
     "3:8: this address and one of listen.tcp collide (\"127.0.0.1:53\"); \"0.0.0.0:53\" is "
     "listed there; change a port\n"},
    {"not even with the default", "https = [\"127.0.0.1:5053\"]",
     "2:10: this address and one of listen.tcp collide (\"127.0.0.1:5053\"); \"127.0.0.1:5053\" "
     "is listed there; change a port\n"},
    {"nor with one that follows", "udp = [\"127.0.0.1:853\"]\ntls = [\"127.0.0.1:853\"]",
     "3:8: this address and one of listen.tcp collide (\"127.0.0.1:853\"); \"127.0.0.1:853\" is "
     "listed there; change a port\n"},
    {"admin answers no DNS", "https = [\"[::]:443\"]\nadmin = \"[::1]:443\"",
     "3:9: this address and one of listen.https collide (\"[::1]:443\"); \"[::]:443\" answers "
     "DNS; give admin another port\n"},
};

TEST(ListenReader, ErrorsSayWhereWhatAndWhatToWrite) {
  for (const Fault& fault : faults) {
    std::string expected;
    for (std::string rest = fault.errors; !rest.empty();) {
      const std::size_t end = rest.find('\n') + 1;
      expected += "/etc/s.toml:" + rest.substr(0, end);
      rest.erase(0, end);
    }
    EXPECT_EQ(errors_of(read(std::string("[listen]\n") + fault.listen + "\n")), expected)
        << fault.reason;
  }
  const std::string too_long = "/" + std::string(255, 'a');
  EXPECT_EQ(read("[[listen.https]]\naddress = \"127.0.0.1:443\"\npath = \"" + too_long + "\"\n")
                .errors.size(),
            1U);
  EXPECT_EQ(errors_of(read("[listener]\naddress = \"127.0.0.1:53\"\n")).substr(0, 42),
            "/etc/s.toml:1:2: unknown key (\"listener\");");
}

// --- sockets of a service manager

InheritedAddress socket(const char* transport, const char* address) {
  return {transport, SocketAddress::parse(address).value()};
}

TEST(ListenReader, InheritedSocketsReplaceAddresses) {
  const Draft draft = read(
      "[listen]\nudp = []\ntls = [\"127.0.0.1:853\"]\n",
      {socket("udp", "[::]:53"), socket("udp", "192.0.2.1:53"), socket("admin", "127.0.0.1:80")});
  ASSERT_EQ(errors_of(draft), "");
  const Config::Listen& listen = draft.config.listen;
  EXPECT_EQ(listen_text(listen.udp), "[\"[::]:53\", \"192.0.2.1:53\"]");
  EXPECT_TRUE(listen.tcp.at(0).is_default) << "of another transport, nothing was passed on";
  EXPECT_EQ(listen_text(listen.tls), "[\"127.0.0.1:853\"]");
  EXPECT_EQ(admin_text(draft.config), "\"127.0.0.1:80\"");
  EXPECT_FALSE(listen.admin->is_default);
  EXPECT_FALSE(read("", {socket("tcp", "[::]:53")}).config.listen.tcp.at(0).is_default);
}

TEST(ListenReader, InheritedSocketsHaveTheSettingsOfTheirAddress) {
  const std::string two =
      "[listen]\ntls = [\"127.0.0.1:853\", { address = \"192.0.2.1:853\", client_ca = \"/a\" }]\n";
  const auto of_own = read(two, {socket("tls", "192.0.2.1:853"), socket("tls", "127.0.0.1:853")});
  ASSERT_EQ(errors_of(of_own), "");
  EXPECT_EQ(listen_text(of_own.config.listen.tls),
            "[{ address = \"192.0.2.1:853\", client_ca = \"/a\" }, \"127.0.0.1:853\"]");

  const auto of_only = read("[[listen.tls]]\naddress = \"127.0.0.1:853\"\nclient_ca = \"/a\"\n",
                            {socket("tls", "[::]:853")});
  ASSERT_EQ(errors_of(of_only), "");
  EXPECT_EQ(listen_text(of_only.config.listen.tls),
            "[{ address = \"[::]:853\", client_ca = \"/a\" }]");

  EXPECT_EQ(errors_of(read(two, {socket("tls", "[::]:853")})),
            "LISTEN_FDS: no element of listen.tls has the address of this socket (\"[::]:853\"); "
            "add one, so that it is known which settings are meant for it\n");
  EXPECT_EQ(errors_of(read("[listen]\ntls = [\"127.0.0.1:53\"]\n", {socket("tcp", "0.0.0.0:53")})),
            "/etc/s.toml:2:8: this address and one of listen.tcp collide (\"127.0.0.1:53\"); "
            "\"0.0.0.0:53\" is listed there; change a port\n");
}

TEST(ListenReader, WhatIsPrintedIsReadBack) {
  const Draft first = read(R"(
[listen]
udp = [{ address = "[::1]:53", proxy_from = ["10.0.0.0/8"] }]
tcp = []
tls = [{ address = "192.0.2.1:853", client_ca = "we\"ird" }, "192.0.2.2:853"]
https = [{ address = "192.0.2.1:443", path = "/d\\ns" }]
)");
  ASSERT_EQ(errors_of(first), "");
  const std::string printed = config_text(first.config);
  const Draft second = read(printed);
  ASSERT_EQ(errors_of(second), "") << printed;
  EXPECT_EQ(config_text(second.config), printed);
  EXPECT_TRUE(restart_needed(first.config, second.config).empty());
  const Draft third = read("[listen]\nudp = [\"[::1]:53\"]\ntcp = []\n");
  EXPECT_EQ(restart_needed(first.config, third.config),
            (std::vector<std::string>{"listen.udp", "listen.tls", "listen.https"}));
}

}  // namespace
}  // namespace sotto
