#include "app/query/https_url.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(HttpsUrl, SaysWhomToConnectToAndWhatToAskFor) {
  struct Case {
    const char* text;
    const char* endpoint;
    const char* host;
    const char* auth_name;
    const char* authority;
    const char* path;
  };
  const Case cases[] = {
      {"https://192.0.2.1", "192.0.2.1:443", "", "", "192.0.2.1", "/dns-query"},
      {"https://192.0.2.1:8443/x/y", "192.0.2.1:8443", "", "", "192.0.2.1:8443", "/x/y"},
      {"https://192.0.2.1#dns.example", "192.0.2.1:443", "", "dns.example", "dns.example",
       "/dns-query"},
      {"https://192.0.2.1:8443/#DNS.example", "192.0.2.1:8443", "", "dns.example",
       "dns.example:8443", "/"},
      {"https://[2001:db8::1]", "[2001:db8::1]:443", "", "", "[2001:db8::1]", "/dns-query"},
      {"https://[2001:db8::1]:444/q", "[2001:db8::1]:444", "", "", "[2001:db8::1]:444", "/q"},
      {"HTTPS://DNS.Example/q", "", "dns.example", "dns.example", "dns.example", "/q"},
      {"https://dns.example:444", "", "dns.example", "dns.example", "dns.example:444",
       "/dns-query"},
      {"https://dns.example#other.example", "", "dns.example", "other.example", "dns.example",
       "/dns-query"},
  };
  for (const Case& one : cases) {
    const auto target = parse_https(one.text);
    ASSERT_TRUE(target) << one.text << ": " << target.error().what;
    const std::string endpoint = target->host.empty() ? target->endpoint.text() : "";
    EXPECT_EQ(endpoint, one.endpoint) << one.text;
    EXPECT_EQ(target->host, one.host) << one.text;
    EXPECT_EQ(target->auth_name, one.auth_name) << one.text;
    EXPECT_EQ(target->authority, one.authority) << one.text;
    EXPECT_EQ(target->path, one.path) << one.text;
  }
}

TEST(HttpsUrl, SaysWhatIsWrong) {
  struct Case {
    const char* text;
    const char* what;
  };
  const Case cases[] = {
      {"https://", "neither a host nor an IP address and port"},
      {"https://2001:db8::1/", "an IPv6 address needs brackets"},
      {"https://192.0.2", "neither a host nor an IP address and port"},
      {"https://dns.example:", "neither a host nor an IP address and port"},
      {"https://dns.example:99999", "neither a host nor an IP address and port"},
      {"https://dns example", "neither a host nor an IP address and port"},
      {"https://192.0.2.1:0", "port 0 cannot be connected to"},
      {"https://192.0.2.1/q?x=y", "a path has no query, leave ?... out"},
      {"https://192.0.2.1/q{?dns}", "a path is not a URI template, leave {...} out"},
      {"https://192.0.2.1/q q", "the path has characters that need encoding"},
      {"https://192.0.2.1#", "the authentication name behind # is not a host name"},
      {"https://192.0.2.1#192.0.2.1", "the authentication name behind # is not a host name"},
  };
  for (const Case& one : cases) {
    const auto target = parse_https(one.text);
    ASSERT_FALSE(target) << one.text;
    EXPECT_EQ(target.error().what, one.what) << one.text;
  }
}

}  // namespace
}  // namespace sotto
