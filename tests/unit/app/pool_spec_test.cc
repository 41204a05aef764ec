#include "app/pool_spec.h"

#include <gtest/gtest.h>

#include "app/config_reader.h"

namespace sotto {
namespace {

Config read(const std::string& text) {
  const Draft draft = read_config(ConfigText{"/s.toml", text}, {});
  EXPECT_TRUE(draft.errors.empty()) << draft.errors[0].text();
  return draft.config;
}

// Every file is trusted; the trust itself is of no concern here.
TrustOfFiles trust_of(const Config& config) {
  TrustOfFiles trust;
  for (const auto* servers : {&config.upstreams, &config.bootstrap}) {
    for (const UpstreamConfig& server : *servers) trust.emplace(server.ca_file, nullptr);
  }
  return trust;
}

std::vector<IpAddress> addresses_of(const std::vector<const char*>& texts) {
  std::vector<IpAddress> addresses;
  for (const char* text : texts) addresses.push_back(*IpAddress::parse(text));
  return addresses;
}

// "192.0.2.1:853 from 192.0.2.7", each endpoint in its order.
std::string endpoints_of(const UpstreamSpec& upstream) {
  std::string text;
  for (const EndpointSpec& endpoint : upstream.endpoints) {
    text += (text.empty() ? "" : ", ") + endpoint.identity.endpoint.text();
    if (endpoint.local.source) text += " from " + endpoint.local.source->text();
  }
  return text;
}

// "group:upstream=endpoints; upstream=endpoints | group…"
std::string text_of(const PoolSpec& spec) {
  std::string text;
  for (const GroupSpec& group : spec.groups) {
    text += (text.empty() ? "" : " | ") + group.name + ":";
    for (const UpstreamSpec& upstream : group.upstreams) {
      text += (text.ends_with(':') ? "" : "; ") + upstream.name + "=" + endpoints_of(upstream);
    }
  }
  return text;
}

TEST(PoolSpec, EverythingArrives) {
  const Config config = read(R"(
[[upstream]]
url = ["tls://192.0.2.1#dns.example", "tls://[2001:db8::1]:8853#dns.example"]
ca_file = "/ca.pem"
pins = ["sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
idle_timeout = "7s"
keep_warm = "1m"
padding = false
source = ["192.0.2.7", "2001:db8::7"]
interface = "wg0"
mark = 5
[[group]]
name = "default"
select = "hash"
[hedge]
budget = 20
[health]
name = "example.com"
interval = "30s"
)");
  const PoolSpec spec = pool_spec(config, trust_of(config), {});
  EXPECT_EQ(spec.hedge_percent, 20U);
  EXPECT_EQ(spec.health.probe_name, *name_from_text("example.com"));
  EXPECT_EQ(spec.health.probe_interval, std::chrono::seconds{30});
  ASSERT_EQ(spec.groups.size(), 1U);
  EXPECT_EQ(spec.groups[0].selection, Selection::hash);
  ASSERT_EQ(spec.groups[0].upstreams.size(), 1U);
  const UpstreamSpec& upstream = spec.groups[0].upstreams[0];
  EXPECT_EQ(upstream.name, "tls://192.0.2.1#dns.example");
  EXPECT_EQ(upstream.idle_timeout, std::chrono::seconds{7});
  EXPECT_EQ(upstream.keep_warm, std::chrono::minutes{1});
  EXPECT_FALSE(upstream.padding);
  EXPECT_EQ(endpoints_of(upstream),
            "192.0.2.1:853 from 192.0.2.7, [2001:db8::1]:8853 from 2001:db8::7");
  const EndpointSpec& endpoint = upstream.endpoints.at(1);
  EXPECT_EQ(endpoint.identity.auth_name, "dns.example");
  EXPECT_EQ(endpoint.identity.ca_file, "/ca.pem");
  EXPECT_EQ(endpoint.identity.pins, config.upstreams[0].pins);
  EXPECT_EQ(endpoint.local.interface, "wg0");
  EXPECT_EQ(endpoint.local.mark, 5U);
}

TEST(PoolSpec, GroupsAndTheirUpstreamsKeepTheirOrder) {
  const Config config = read(
      "[[group]]\nname = \"b\"\nselect = \"order\"\n"
      "[[upstream]]\nurl = \"tls://192.0.2.1\"\n[[upstream]]\nurl = \"tls://192.0.2.2\"\n"
      "group = \"b\"\n[[upstream]]\nurl = \"tls://192.0.2.3\"\n"
      "[[upstream]]\nurl = \"tls://192.0.2.4\"\ngroup = \"b\"\n");
  EXPECT_EQ(text_of(pool_spec(config, trust_of(config), {})),
            "b:tls://192.0.2.2=192.0.2.2:853; tls://192.0.2.4=192.0.2.4:853 | "
            "default:tls://192.0.2.1=192.0.2.1:853; tls://192.0.2.3=192.0.2.3:853");
}

TEST(PoolSpec, FamiliesOfAHostTakeTurns) {
  const Config config = read(
      "bootstrap = [\"quad9\"]\n[[upstream]]\nurl = \"tls://dns.example:8853\"\n"
      "source = \"192.0.2.7\"\n");
  struct Case {
    const char* reason;
    std::vector<const char*> addresses;
    const char* endpoints;
  };
  const Case cases[] = {
      {"both, IPv6 first",
       {"192.0.2.1", "192.0.2.2", "2001:db8::2", "2001:db8::1"},
       "[2001:db8::2]:8853, 192.0.2.1:8853 from 192.0.2.7, [2001:db8::1]:8853, 192.0.2.2:8853 from "
       "192.0.2.7"},
      {"one runs out",
       {"2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"},
       "[2001:db8::1]:8853, 192.0.2.1:8853 from 192.0.2.7, [2001:db8::2]:8853, "
       "[2001:db8::3]:8853"},
      {"one family", {"192.0.2.1"}, "192.0.2.1:8853 from 192.0.2.7"},
      {"none yet", {}, ""},
  };
  for (const Case& c : cases) {
    const PoolSpec spec = pool_spec(config, trust_of(config),
                                    {{"dns.example", addresses_of(c.addresses)},
                                     {"other.example", addresses_of({"192.0.2.99"})}});
    EXPECT_EQ(endpoints_of(spec.groups.at(0).upstreams.at(0)), c.endpoints) << c.reason;
  }
  const PoolSpec spec = pool_spec(config, trust_of(config), {});
  ASSERT_EQ(spec.groups.at(0).upstreams.size(), 1U) << "it is there before its addresses are";
  EXPECT_EQ(endpoints_of(spec.groups[0].upstreams[0]), "");
}

TEST(PoolSpec, HostsAreLookedUpAtBootstrapServersOrAtUpstreamsWithAddresses) {
  const std::string upstreams =
      "[[upstream]]\nurl = \"tls://dns.example\"\ngroup = \"a\"\n"
      "[[upstream]]\nurl = \"tls://192.0.2.1\"\n"
      "[[upstream]]\nurl = \"tls://192.0.2.2\"\ngroup = \"a\"\n"
      "[[upstream]]\nurl = \"tls://b.example\"\ngroup = \"b\"\n";
  const Config without = read(upstreams);
  const PoolSpec asked = bootstrap_spec(without, trust_of(without));
  EXPECT_EQ(text_of(asked),
            "a:tls://192.0.2.2=192.0.2.2:853 | default:tls://192.0.2.1=192.0.2.1:853");
  EXPECT_EQ(asked.groups.at(0).upstreams.at(0).keep_warm, Duration{0});
  EXPECT_EQ(asked.hedge_percent, 0U);
  const Config with = read("bootstrap = [\"tls://192.0.2.9\", \"tls://192.0.2.8\"]\n" + upstreams);
  EXPECT_EQ(text_of(bootstrap_spec(with, trust_of(with))),
            "bootstrap:tls://192.0.2.9=192.0.2.9:853; tls://192.0.2.8=192.0.2.8:853");
}

}  // namespace
}  // namespace sotto
