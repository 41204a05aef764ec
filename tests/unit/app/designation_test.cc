#include "app/designation.h"

#include <gtest/gtest.h>

#include "app/config_reader.h"

namespace sotto {
namespace {

ListenAddress listener(const char* address) {
  ListenAddress listen;
  listen.address = *SocketAddress::parse(address);
  return listen;
}

std::vector<IpAddress> ips(const std::vector<const char*>& texts) {
  std::vector<IpAddress> addresses;
  for (const char* text : texts) addresses.push_back(*IpAddress::parse(text));
  return addresses;
}

ServerCertificate certificate(const std::vector<std::string>& names) {
  ServerCertificate certificate;
  certificate.dns_names = names;
  return certificate;
}

std::string said(const Designation& designation) {
  std::string text;
  for (const Designation::Endpoint& endpoint : designation.endpoints) {
    text += (endpoint.is_https ? "https " : "tls ") + std::to_string(endpoint.port) + endpoint.path;
    for (const IpAddress& address : announced(endpoint.addresses)) text += " " + address.text();
    text += "; ";
  }
  for (const IpAddress& address : announced(designation.addresses)) text += address.text() + " ";
  return text;
}

std::string name_of(const Config::Discovery& discovery,
                    const std::vector<ServerCertificate>& certificates) {
  const auto name = designated_name(discovery, certificates);
  return name ? name_to_text(name->octets()) : "none";
}

TEST(Designation, NamesThatClientsCanAskForAndCertificatesProve) {
  const std::string longest = std::string(61, 'a') + "." + std::string(61, 'b') + "." +
                              std::string(61, 'c') + "." + std::string(61, 'd');
  for (const std::string& good :
       {std::string("dns.example"), std::string("DNS.Example."), std::string("a"),
        std::string("xn--e1afmkfd.example"), std::string("my_host.example"), longest}) {
    EXPECT_TRUE(resolver_name(good)) << good;
  }
  EXPECT_EQ(name_to_text(resolver_name("DNS.Example")->octets()), "dns.example.");
  for (const std::string& bad :
       {std::string(""), std::string("."), std::string("*.example"), std::string("a..b"),
        std::string("localhost"), std::string("x.LocalHost."), std::string("192.0.2.1"),
        std::string("2001:db8::1"), std::string("a b"), std::string("a\\046b"), "dd." + longest}) {
    EXPECT_FALSE(resolver_name(bad)) << bad;
  }
}

TEST(Designation, AutoIsTheFirstHostNameOfTheFirstCertificate) {
  const std::vector<ServerCertificate> certificates = {
      certificate({"*.example", "localhost", "dns.example", "other.example"}),
      certificate({"second.example"})};
  EXPECT_EQ(name_of({}, certificates), "dns.example.");
  EXPECT_EQ(name_of({.name = "own.example", .addresses = {}}, certificates), "own.example.");
  EXPECT_EQ(name_of({}, {}), "none");
  EXPECT_EQ(name_of({}, {certificate({}), certificates[1]}), "none");
}

TEST(Designation, CertificateThatProvesTheName) {
  const std::vector<ServerCertificate> certificates = {
      certificate({"dns.example"}), certificate({"*.wild.example", "wild.example"}),
      certificate({"exact.wild.example"})};
  const auto at = [&](const char* name) {
    const ServerCertificate* found = certificate_of(*resolver_name(name), certificates);
    return found == nullptr ? -1 : static_cast<int>(found - certificates.data());
  };
  EXPECT_EQ(at("dns.example"), 0);
  EXPECT_EQ(at("dns.wild.example"), 1);
  EXPECT_EQ(at("wild.example"), 1);
  EXPECT_EQ(at("exact.wild.example"), 2) << "goes before a wildcard";
  EXPECT_EQ(at("a.b.wild.example"), -1) << "one label";
  EXPECT_EQ(at("example"), -1);
}

TEST(Designation, OneEndpointForEachTransport) {
  Config::Listen listen;
  EXPECT_EQ(said(designated_endpoints({}, listen, ips({"192.0.2.1"}))), "");
  listen.tls = {listener("192.0.2.1:853"), listener("192.0.2.2:8853"), listener("192.0.2.3:853")};
  listen.https = {listener("192.0.2.1:443"), listener("[2001:db8::1]:443"),
                  listener("192.0.2.4:443")};
  listen.https[2].path = "/other";
  EXPECT_EQ(said(designated_endpoints({}, listen, {})),
            "tls 853 192.0.2.1 192.0.2.3; "
            "https 443/dns-query 192.0.2.1 2001:db8::1; "
            "192.0.2.1 192.0.2.3 2001:db8::1 ");
}

TEST(Designation, WildcardsAreTheAddressesOfTheHost) {
  const auto host =
      ips({"127.0.0.1", "192.0.2.1", "169.254.1.1", "10.0.0.1", "::1", "fe80::1%1", "2001:db8::1"});
  Config::Listen listen;
  listen.tls = {listener("0.0.0.0:853"), listener("[::]:853")};
  EXPECT_EQ(said(designated_endpoints({}, listen, host)),
            "tls 853 192.0.2.1 10.0.0.1 2001:db8::1; 192.0.2.1 10.0.0.1 2001:db8::1 ");
  listen.tls = {listener("[::]:853")};
  EXPECT_EQ(said(designated_endpoints({}, listen, host)), "tls 853 2001:db8::1; 2001:db8::1 ");
  EXPECT_EQ(said(designated_endpoints({}, listen, ips({"192.0.2.1"}))), "");
}

TEST(Designation, LoopbackOnlyIfThereIsNothingElse) {
  const auto host = ips({"127.0.0.1", "::1"});
  Config::Listen listen;
  listen.tls = {listener("0.0.0.0:853")};
  listen.https = {listener("[::1]:443")};
  EXPECT_EQ(said(designated_endpoints({}, listen, host)),
            "tls 853 127.0.0.1; https 443/dns-query ::1; 127.0.0.1 ::1 ");
  listen.tls.push_back(listener("192.0.2.1:853"));
  EXPECT_EQ(said(designated_endpoints({}, listen, host)), "tls 853 192.0.2.1; 192.0.2.1 ");
}

TEST(Designation, ConfiguredAddressesGoBeforeThoseOfListeners) {
  Config::Listen listen;
  listen.tls = {listener("127.0.0.1:853")};
  listen.https = {listener("10.0.0.1:443")};
  const Config::Discovery discovery{.name = "auto",
                                    .addresses = ips({"198.51.100.1", "2001:db8::2"})};
  EXPECT_EQ(said(designated_endpoints(discovery, listen, {})),
            "tls 853 198.51.100.1 2001:db8::2; "
            "https 443/dns-query 198.51.100.1 2001:db8::2; 198.51.100.1 2001:db8::2 ");
}

TEST(Designation, MoreAddressesThanAResponseHoldsAreNotAnnounced) {
  Designation::Addresses addresses;
  for (std::uint8_t host = 1; host <= 7; ++host) addresses.v4.push_back({192, 0, 2, host});
  const auto list = announced(addresses);
  EXPECT_EQ(list.size(), designated_addresses_max);
  EXPECT_EQ(list.back().text(), "192.0.2.6");
}

TEST(Designation, ListenersThatWantACertificateAreNotForEverybody) {
  Config::Listen listen;
  listen.tls = {listener("192.0.2.1:853"), listener("192.0.2.2:8853")};
  listen.tls[0].client_ca = "/ca.pem";
  EXPECT_EQ(said(designated_endpoints({}, listen, {})), "tls 8853 192.0.2.2; 192.0.2.2 ");
  listen.tls[0].client_certificate_required = false;
  EXPECT_EQ(said(designated_endpoints({}, listen, {})), "tls 853 192.0.2.1; 192.0.2.1 ");
}

std::string errors_of(const std::string& text) {
  std::string errors;
  for (const ConfigError& error : read_config(ConfigText{"s.toml", text}, {}).errors) {
    errors += error.text() + "\n";
  }
  return errors;
}

TEST(Designation, SettingsAreChecked) {
  const Config config =
      read_config(ConfigText{"s.toml",
                             "[discovery]\nname = \"DNS.Example.\"\naddresses = [\"192.0.2.1\", "
                             "\"2001:db8::1\"]\n[policy]\nallow_verified = false\n"},
                  {})
          .config;
  EXPECT_EQ(config.discovery.name, "dns.example");
  EXPECT_EQ(config.discovery.addresses, ips({"192.0.2.1", "2001:db8::1"}));
  EXPECT_FALSE(config.policy.allow_verified);
  for (const char* good : {"", "auto", "dns.example"}) {
    EXPECT_EQ(errors_of(std::string("[discovery]\nname = \"") + good + "\"\n"), "") << good;
  }
  EXPECT_EQ(errors_of("[discovery]\nname = \"192.0.2.1\"\n"),
            "s.toml:2:8: not the name of a host (\"192.0.2.1\"); addresses go to "
            "discovery.addresses\n");
  EXPECT_EQ(errors_of("[discovery]\nname = \"*.example\"\n"),
            "s.toml:2:8: not the name of a host (\"*.example\"); write a name that the certificate "
            "holds, \"dns.example.net\"\n");
  EXPECT_EQ(errors_of("[discovery]\naddresses = [\"0.0.0.0\", \"x\", \"::1\", \"::1\"]\n"),
            "s.toml:2:14: clients cannot connect to this address (\"0.0.0.0\"); name the address "
            "they reach sotto at\n"
            "s.toml:2:25: not an address (\"x\"); write \"192.0.2.1\" or \"2001:db8::1\"\n"
            "s.toml:2:37: this address is listed twice (\"::1\")\n");
}

}  // namespace
}  // namespace sotto
