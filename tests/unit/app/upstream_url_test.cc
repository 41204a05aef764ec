#include "app/upstream_url.h"

#include <gtest/gtest.h>

#include "app/config_error.h"
#include "app/providers.h"

namespace sotto {
namespace {

TEST(UpstreamUrl, ReadsAddressPortAndName) {
  struct Case {
    const char* text;
    const char* endpoint;
    const char* auth_name;
    const char* canonical;
  };
  const Case cases[] = {
      {"tls://1.1.1.1", "1.1.1.1:853", "", "tls://1.1.1.1"},
      {"tls://1.1.1.1:853", "1.1.1.1:853", "", "tls://1.1.1.1"},
      {"tls://192.0.2.1:8853#Dns.Example.", "192.0.2.1:8853", "dns.example",
       "tls://192.0.2.1:8853#dns.example"},
      {"TLS://9.9.9.9#dns.quad9.net", "9.9.9.9:853", "dns.quad9.net",
       "tls://9.9.9.9#dns.quad9.net"},
      {"tls://[2001:db8::1]", "[2001:db8::1]:853", "", "tls://[2001:db8::1]"},
      {"tls://[2001:db8::1]:54#x", "[2001:db8::1]:54", "x", "tls://[2001:db8::1]:54#x"},
  };
  for (const Case& c : cases) {
    const auto target = parse_upstream(c.text);
    ASSERT_TRUE(target.has_value()) << c.text << ": " << target.error().what;
    ASSERT_EQ(target->endpoints.size(), 1U);
    EXPECT_EQ(target->endpoints[0].text(), c.endpoint);
    EXPECT_EQ(target->auth_name, c.auth_name);
    EXPECT_EQ(target->text, c.canonical);
    EXPECT_EQ(parse_upstream(target->text)->endpoints, target->endpoints) << "canonical form";
  }
}

TEST(UpstreamUrl, ReadsHostPortAndName) {
  struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
    const char* auth_name;
    const char* canonical;
  };
  const Case cases[] = {
      {"tls://dns.quad9.net", "dns.quad9.net", 853, "dns.quad9.net", "tls://dns.quad9.net"},
      {"TLS://Dns.Google.:853", "dns.google", 853, "dns.google", "tls://dns.google"},
      {"tls://dns.example:8853", "dns.example", 8'853, "dns.example", "tls://dns.example:8853"},
      {"tls://a.example#B.example.", "a.example", 853, "b.example", "tls://a.example#b.example"},
      {"tls://a.example#a.example", "a.example", 853, "a.example", "tls://a.example"},
  };
  for (const Case& c : cases) {
    const auto target = parse_upstream(c.text);
    ASSERT_TRUE(target.has_value()) << c.text << ": " << target.error().what;
    EXPECT_TRUE(target->endpoints.empty()) << c.text;
    EXPECT_FALSE(target->is_provider) << c.text;
    EXPECT_EQ(target->host, c.host);
    EXPECT_EQ(target->port, c.port);
    EXPECT_EQ(target->auth_name, c.auth_name);
    EXPECT_EQ(target->text, c.canonical);
    const auto again = parse_upstream(target->text);
    EXPECT_EQ(again->host, target->host);
    EXPECT_EQ(again->auth_name, target->auth_name);
  }
}

struct Fault {
  const char* text;
  const char* message;
};
const Fault faults[] = {
    {"tls://2620:fe::fe:853#dns.quad9.net",
     "an IPv6 address needs brackets (\"tls://2620:fe::fe:853#dns.quad9.net\"); write "
     "tls://[ADDRESS]:853 or tls://[ADDRESS]"},
    {"udp://9.9.9.9",
     "a plain DNS upstream cannot be authenticated (\"udp://9.9.9.9\"); write "
     "\"tls://9.9.9.9#dns.quad9.net\" for DNS over TLS"},
    {"tcp://192.0.2.1:53",
     "a plain DNS upstream cannot be authenticated (\"tcp://192.0.2.1:53\"); write "
     "\"tls://192.0.2.1\" for DNS over TLS, with #AUTH-NAME unless the certificate names the "
     "address"},
    {"1.1.1.1",
     "a plain DNS upstream cannot be authenticated (\"1.1.1.1\"); write "
     "\"tls://1.1.1.1#cloudflare-dns.com\" for DNS over TLS"},
    {"[2001:db8::1]:53",
     "a plain DNS upstream cannot be authenticated (\"[2001:db8::1]:53\"); write "
     "\"tls://[2001:db8::1]\" for DNS over TLS, with #AUTH-NAME unless the certificate names the "
     "address"},
    {"udp://ns.example",
     "a plain DNS upstream cannot be authenticated (\"udp://ns.example\"); write "
     "tls://ADDRESS#AUTH-NAME"},
    {"tls://Google", "a provider's name stands alone (\"tls://Google\"); write \"google\""},
    {"tls://dns.example:0",
     "port 0 cannot be connected to (\"tls://dns.example:0\"); the port of DoT is 853"},
    {"tls://dns.example:65536",
     "the port is not a number from 1 to 65535 (\"tls://dns.example:65536\"); the port of DoT is "
     "853"},
    {"tls://dns.example:",
     "the port is not a number from 1 to 65535 (\"tls://dns.example:\"); the port of DoT is 853"},
    {"tls://dns.example:85x",
     "the port is not a number from 1 to 65535 (\"tls://dns.example:85x\"); the port of DoT is "
     "853"},
    {"tls://dns..example",
     "neither a host nor an IP address and port (\"tls://dns..example\"); write "
     "tls://ADDRESS[:PORT][#AUTH-NAME] or tls://HOST[:PORT]"},
    {"https://1.1.1.1/dns-query",
     "DNS over HTTPS upstreams are not supported (\"https://1.1.1.1/dns-query\"); use DNS over "
     "TLS: tls://ADDRESS#AUTH-NAME"},
    {"quic://1.1.1.1",
     "DNS over QUIC upstreams are not supported (\"quic://1.1.1.1\"); use DNS over TLS: "
     "tls://ADDRESS#AUTH-NAME"},
    {"ftp://1.1.1.1",
     "unknown scheme of an upstream (\"ftp://1.1.1.1\"); write tls://ADDRESS#AUTH-NAME"},
    {"cloudflair", "unknown provider (\"cloudflair\"); did you mean \"cloudflare\"?"},
    {"resolver",
     "not an upstream (\"resolver\"); write tls://ADDRESS#AUTH-NAME or one of cloudflare, quad9, "
     "google"},
    {"",
     "not an upstream (\"\"); write tls://ADDRESS#AUTH-NAME or one of cloudflare, quad9, "
     "google"},
    {"tls://1.1.1.1#",
     "the authentication name behind # is missing (\"tls://1.1.1.1#\"); without # the "
     "certificate "
     "must name the IP address or the host"},
    {"tls://1.1.1.1#1.1.1.1",
     "the authentication name is an address (\"tls://1.1.1.1#1.1.1.1\"); leave #ADDRESS out if "
     "the certificate names the IP address"},
    {"tls://1.1.1.1#a b",
     "the authentication name is not a host name (\"tls://1.1.1.1#a b\"); write "
     "tls://ADDRESS#dns.example"},
    {"tls://1.1.1.1:99999",
     "neither a host nor an IP address and port (\"tls://1.1.1.1:99999\"); write "
     "tls://ADDRESS[:PORT][#AUTH-NAME] or tls://HOST[:PORT]"},
    {"tls://1.1.1.1:0",
     "port 0 cannot be connected to (\"tls://1.1.1.1:0\"); the port of DoT is 853"},
    {"tls://1.1.1.1/",
     "neither a host nor an IP address and port (\"tls://1.1.1.1/\"); write "
     "tls://ADDRESS[:PORT][#AUTH-NAME] or tls://HOST[:PORT]"},
    {"tls://0.0.0.0", "the unspecified address cannot be connected to (\"tls://0.0.0.0\")"},
    {"tls://",
     "neither a host nor an IP address and port (\"tls://\"); write "
     "tls://ADDRESS[:PORT][#AUTH-NAME] or tls://HOST[:PORT]"},
};

TEST(UpstreamUrl, SaysWhatIsWrongAndWhatToWrite) {
  for (const Fault& c : faults) {
    const auto target = parse_upstream(c.text);
    ASSERT_FALSE(target.has_value()) << c.text;
    EXPECT_EQ(complaint(target.error().what, c.text, target.error().suggestion), c.message);
  }
}

TEST(UpstreamUrl, ProvidersHaveBothFamiliesAndANameToCheck) {
  for (const Provider& provider : providers()) {
    const auto target = parse_upstream(provider.name);
    ASSERT_TRUE(target.has_value()) << provider.name;
    EXPECT_TRUE(target->is_provider);
    EXPECT_EQ(target->text, provider.name);
    EXPECT_TRUE(is_host_name(target->auth_name));
    ASSERT_EQ(target->endpoints.size(), 4U);
    EXPECT_TRUE(target->endpoints[0].ip.is_v4());
    EXPECT_FALSE(target->endpoints[3].ip.is_v4());
    for (const SocketAddress& endpoint : target->endpoints) {
      EXPECT_EQ(endpoint.port, dot_port);
      EXPECT_EQ(provider_of(endpoint.ip), &provider);
    }
  }
  EXPECT_EQ(parse_upstream("Cloudflare")->auth_name, "cloudflare-dns.com");
  EXPECT_EQ(provider_of(*IpAddress::parse("192.0.2.1")), nullptr);
}

}  // namespace
}  // namespace sotto
