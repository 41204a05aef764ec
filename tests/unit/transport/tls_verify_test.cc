// Every fault a certificate can have, on a full and on a resumed handshake, over TLS 1.2 and 1.3.
#include "transport/tls_verify.h"

#include <atomic>
#include <ctime>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "test_tls_server.h"
#include "transport/tls_chain.h"
#include "transport/tls_engine.h"

namespace sotto::test {
namespace {

using std::chrono::hours;

// One world of authorities and certificates for all tests of this file: keys take time.
struct World {
  TempDirectory directory;
  TestIdentity root{{.common_name = "Test Root", .authority = true}};
  TestIdentity other_root{{.common_name = "Other Root", .authority = true}};
  TestIdentity intermediate{{.common_name = "Test Intermediate", .authority = true}, &root};
  TestIdentity expired_intermediate{{.common_name = "Old Intermediate",
                                     .valid_from = hours(-48),
                                     .valid_to = hours(-1),
                                     .authority = true},
                                    &root};
  TestIdentity good{{.common_name = "x", .dns_names = {"dns.example"}}, &intermediate};
  std::string root_file = directory.write("root.pem", root.pem());
  std::string other_root_file = directory.write("other.pem", other_root.pem());
  std::string both_file = directory.write("both.pem", root.pem() + other_root.pem());
};

World& world() {
  static World the_world;
  return the_world;
}

TlsPeerIdentity peer_named(const std::string& name, const std::string& ca_file) {
  return {.endpoint = SocketAddress::parse("192.0.2.1:853").value(),
          .auth_name = name,
          .pins = {},
          .ca_file = ca_file};
}

struct Outcome {
  TlsEngine::State state;
  TlsFailure failure;
  bool resumed;
  std::string alert;  // what the server was told
};

Outcome connect(const TlsPeerIdentity& peer, const std::vector<const TestIdentity*>& chain,
                TlsTicketStore& tickets, const TestServerOptions& options) {
  const auto trust = TlsTrust::load(peer.ca_file);
  EXPECT_TRUE(trust);
  TestServer server(chain, options);
  const auto client = TlsEngine::client(*trust, peer, tickets, "dot");
  run_handshake(*client, server);
  if (client->state() == TlsEngine::State::ready) read_all(*client);
  return {client->state(), client->failure(), client->resumed(), server.alert()};
}

struct CertificateCase {
  const char* reason;
  CertificateSpec spec;
  const TestIdentity* issuer;  // null: self-signed
  std::vector<const TestIdentity*> above;
  const char* name;       // empty: by address, 192.0.2.1
  const char* complaint;  // empty: accepted
};

const CertificateSpec plain{.common_name = "x", .dns_names = {"dns.example"}};

std::vector<CertificateCase> right_certificates() {
  const TestIdentity* root = &world().root;
  const TestIdentity* middle = &world().intermediate;
  const TestIdentity* other = &world().other_root;
  return {
      {"a name in the SAN, straight from the root", plain, root, {}, "dns.example", ""},
      {"an intermediate in between", plain, middle, {middle}, "dns.example", ""},
      {"the root sent along", plain, middle, {middle, root}, "dns.example", ""},
      {"the chain in the wrong order", plain, middle, {root, middle}, "dns.example", ""},
      {"a certificate that does not belong", plain, middle, {other, middle}, "dns.example", ""},
      {"names compare without case", plain, root, {}, "DNS.Example", ""},
      {"a final dot does not matter", plain, root, {}, "dns.example.", ""},
      {"a wildcard covers one label",
       {.dns_names = {"*.dns.example"}},
       root,
       {},
       "a.dns.example",
       ""},
      {"an address in the SAN", {.ip_addresses = {"192.0.2.1"}}, root, {}, "", ""},
      {"an address given as the name",
       {.ip_addresses = {"2001:db8::1"}},
       root,
       {},
       "2001:db8::1",
       ""},
      {"no purpose said is any purpose",
       {.dns_names = {"dns.example"}, .purpose = nullptr},
       root,
       {},
       "dns.example",
       ""},
  };
}

std::vector<CertificateCase> certificates_for_other_names() {
  const TestIdentity* root = &world().root;
  return {
      {"a wildcard does not cover two",
       {.dns_names = {"*.dns.example"}},
       root,
       {},
       "b.a.dns.example",
       "certificate is for other names: *.dns.example"},
      {"the other address",
       {.ip_addresses = {"192.0.2.2"}},
       root,
       {},
       "",
       "certificate is for other names: 192.0.2.2"},
      {"an address is not matched by a DNS name that looks like it",
       {.dns_names = {"192.0.2.1"}},
       root,
       {},
       "",
       "certificate is for other names: 192.0.2.1"},
      {"an address is not matched by a common name",
       {.common_name = "192.0.2.1"},
       root,
       {},
       "",
       "certificate has no SubjectAltName"},
      {"only a common name",
       {.common_name = "dns.example"},
       root,
       {},
       "dns.example",
       "certificate has no SubjectAltName"},
      {"a common name beside an address",
       {.common_name = "dns.example", .ip_addresses = {"192.0.2.9"}},
       root,
       {},
       "dns.example",
       "certificate is for other names: 192.0.2.9"},
      {"another name, beside the right common name",
       {.common_name = "dns.example", .dns_names = {"evil.example"}},
       root,
       {},
       "dns.example",
       "certificate is for other names: evil.example"},
  };
}

std::vector<CertificateCase> certificates_nobody_vouches_for() {
  const TestIdentity* root = &world().root;
  const TestIdentity* middle = &world().intermediate;
  const TestIdentity* old = &world().expired_intermediate;
  const TestIdentity* other = &world().other_root;
  return {
      {"expired",
       {.common_name = "x",
        .dns_names = {"dns.example"},
        .valid_from = hours(-48),
        .valid_to = hours(-1)},
       root,
       {},
       "dns.example",
       "certificate has expired (subject \"CN=x\", issuer \"CN=Test Root\""},
      {"not yet valid",
       {.dns_names = {"dns.example"}, .valid_from = hours(1)},
       root,
       {},
       "dns.example",
       "certificate is not yet valid"},
      {"an expired intermediate",
       plain,
       old,
       {old},
       "dns.example",
       "a certificate of the issuers has expired"},
      {"self-signed", plain, nullptr, {}, "dns.example", "certificate is from an unknown issuer"},
      {"another authority",
       plain,
       other,
       {},
       "dns.example",
       "certificate is from an unknown issuer"},
      {"another authority, which is sent along",
       plain,
       other,
       {other},
       "dns.example",
       "certificate is from an unknown issuer"},
      {"the intermediate missing",
       plain,
       middle,
       {},
       "dns.example",
       "certificate is from an unknown issuer"},
      {"signed by somebody who is no authority",
       plain,
       &world().good,
       {&world().good, middle},
       "dns.example",
       "the certificate's issuer is not a certificate authority"},
      {"a client's certificate",
       {.dns_names = {"dns.example"}, .purpose = GNUTLS_KP_TLS_WWW_CLIENT},
       root,
       {},
       "dns.example",
       "certificate is not meant for a TLS server"},
  };
}

std::vector<CertificateCase> certificate_cases() {
  std::vector<CertificateCase> cases = right_certificates();
  for (const auto& more : {certificates_for_other_names(), certificates_nobody_vouches_for()}) {
    cases.insert(cases.end(), more.begin(), more.end());
  }
  return cases;
}

class TlsVerify : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, TlsVerify, testing::Values(tls12_priority, tls13_priority));

TEST_P(TlsVerify, CertificateFaults) {
  for (const CertificateCase& row : certificate_cases()) {
    SCOPED_TRACE(row.reason);
    const TestIdentity leaf(row.spec, row.issuer);
    std::vector<const TestIdentity*> chain = {&leaf};
    chain.insert(chain.end(), row.above.begin(), row.above.end());
    TlsTicketStore tickets;
    const TicketKey key;
    const Outcome outcome = connect(peer_named(row.name, world().root_file), chain, tickets,
                                    {.priority = GetParam(), .tickets = &key});
    if (*row.complaint == '\0') {
      EXPECT_EQ(outcome.state, TlsEngine::State::ready) << outcome.failure.reason;
      EXPECT_GT(tickets.size(), 0U);
      continue;
    }
    EXPECT_EQ(outcome.state, TlsEngine::State::failed);
    EXPECT_EQ(outcome.failure.kind, TlsFailure::Kind::authentication);
    EXPECT_NE(outcome.failure.reason.find(row.complaint), std::string::npos)
        << outcome.failure.reason;
    const std::string expected = *row.name == '\0' ? "192.0.2.1" : row.name;
    EXPECT_NE(outcome.failure.reason.find("; expected name " + expected), std::string::npos)
        << outcome.failure.reason;
    EXPECT_EQ(outcome.alert, "Certificate is bad");
    EXPECT_EQ(tickets.size(), 0U) << "nothing is remembered of a peer that was refused";
  }
}

// The first handshake is good; then the expectation changes while the ticket stays. The store's key
// would not find the ticket any more, so the test moves it: the check itself must hold.
TEST_P(TlsVerify, ResumedSessionsAreVerified) {
  const TlsPeerIdentity before = peer_named("dns.example", world().root_file);
  TlsPeerIdentity other_pin = before;
  other_pin.pins = {parse_pin(world().other_root.pin()).value()};
  TlsPeerIdentity right_pin = before;
  right_pin.pins = {parse_pin(world().root.pin()).value()};
  struct Row {
    const char* reason;
    TlsPeerIdentity peer;
    const char* complaint;
    // A TLS 1.2 server does not resume a session under another server name (RFC 6066 §3).
    bool other_server_name = false;
  };
  const Row rows[] = {
      {"nothing changed", before, ""},
      {"a right pin is added", right_pin, ""},
      {"a wrong pin is added", other_pin, "no pin matches"},
      {"another name is expected", peer_named("dns.test", world().root_file),
       "certificate is for other names: dns.example", true},
      {"another authority is trusted", peer_named("dns.example", world().other_root_file),
       "certificate is from an unknown issuer"},
      {"the address is expected", peer_named("", world().root_file),
       "certificate is for other names: dns.example", true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.reason);
    const std::vector<const TestIdentity*> chain = {&world().good, &world().intermediate};
    TlsTicketStore tickets;
    const TicketKey key;
    const TestServerOptions options{.priority = GetParam(), .tickets = &key};
    ASSERT_EQ(connect(before, chain, tickets, options).state, TlsEngine::State::ready);
    const auto ticket = tickets.take(before).value();
    tickets.forget(before);
    tickets.put(row.peer, ticket);
    ASSERT_GT(tickets.size(), 0U);

    const Outcome outcome = connect(row.peer, chain, tickets, options);
    EXPECT_EQ(outcome.resumed, GetParam() == tls13_priority || !row.other_server_name);
    if (*row.complaint == '\0') {
      EXPECT_EQ(outcome.state, TlsEngine::State::ready) << outcome.failure.reason;
      continue;
    }
    EXPECT_EQ(outcome.state, TlsEngine::State::failed);
    EXPECT_EQ(outcome.failure.kind, TlsFailure::Kind::authentication);
    EXPECT_NE(outcome.failure.reason.find(row.complaint), std::string::npos)
        << outcome.failure.reason;
    EXPECT_EQ(outcome.failure.reason.find("(resumed session)") != std::string::npos,
              outcome.resumed);
    EXPECT_EQ(tickets.size(), 0U) << "a session that was refused is not offered again";
  }
}

std::atomic<std::time_t> shift_seconds{0};
std::time_t shifted_time(std::time_t* out) {
  const std::time_t now = std::chrono::system_clock::to_time_t(wall_now()) + shift_seconds.load();
  if (out != nullptr) *out = now;
  return now;
}

TEST_P(TlsVerify, ResumptionAcrossExpiryFails) {
  const TestIdentity leaf({.dns_names = {"dns.example"}, .valid_to = hours(1)}, &world().root);
  const TlsPeerIdentity peer = peer_named("dns.example", world().root_file);
  TlsTicketStore tickets;
  const TicketKey key;
  const TestServerOptions options{.priority = GetParam(), .tickets = &key};
  gnutls_global_set_time_function(&shifted_time);
  ASSERT_EQ(connect(peer, {&leaf}, tickets, options).state, TlsEngine::State::ready);
  shift_seconds = 2 * 3'600;
  const Outcome outcome = connect(peer, {&leaf}, tickets, options);
  shift_seconds = 0;
  EXPECT_TRUE(outcome.resumed);
  EXPECT_EQ(outcome.state, TlsEngine::State::failed);
  EXPECT_NE(outcome.failure.reason.find("has expired"), std::string::npos)
      << outcome.failure.reason;
}

TEST_P(TlsVerify, Pins) {
  World& w = world();
  const TestIdentity stranger{{.common_name = "Stranger"}};
  const std::string leaf = w.good.pin();
  const std::string middle = w.intermediate.pin();
  const std::string root = w.root.pin();
  const std::string wrong = stranger.pin();
  struct Row {
    const char* reason;
    std::vector<std::string> pins;
    std::vector<const TestIdentity*> extra;
    bool accepted;
  };
  const Row rows[] = {
      {"the certificate's own", {leaf}, {}, true},
      {"an intermediate's", {middle}, {}, true},
      {"the root's, which is not sent", {root}, {}, true},
      {"one of two", {wrong, leaf}, {}, true},
      {"a wrong one", {wrong}, {}, false},
      {"two wrong ones", {wrong, w.other_root.pin()}, {}, false},
      {"the pinned certificate is sent, but signs nothing", {wrong}, {&stranger}, false},
      {"a trusted authority that did not sign", {w.other_root.pin()}, {&w.other_root}, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.reason);
    TlsPeerIdentity peer = peer_named("dns.example", w.both_file);
    for (const std::string& pin : row.pins) peer.pins.push_back(parse_pin(pin).value());
    std::vector<const TestIdentity*> chain = {&w.good, &w.intermediate};
    chain.insert(chain.end(), row.extra.begin(), row.extra.end());
    TlsTicketStore tickets;
    const Outcome outcome = connect(peer, chain, tickets, {.priority = GetParam()});
    EXPECT_EQ(outcome.state == TlsEngine::State::ready, row.accepted) << outcome.failure.reason;
    if (row.accepted) continue;
    EXPECT_EQ(outcome.failure.kind, TlsFailure::Kind::authentication);
    EXPECT_NE(outcome.failure.reason.find("no pin matches; the certificate's is " + leaf),
              std::string::npos)
        << outcome.failure.reason;
  }
}

// A trusted authority of the same name as the one that signed does not stand in for it. (Without
// key identifiers GnuTLS may take the wrong one of the two and find its signature wrong, which is
// safe.)
TEST_P(TlsVerify, PinOfANamesake) {
  const TestIdentity namesake({.common_name = "Test Root", .authority = true});
  for (const std::string& trusted :
       {world().root.pem() + namesake.pem(), namesake.pem() + world().root.pem()}) {
    TlsPeerIdentity peer =
        peer_named("dns.example", world().directory.write("namesake.pem", trusted));
    peer.pins = {parse_pin(namesake.pin()).value()};
    TlsTicketStore tickets;
    const Outcome outcome =
        connect(peer, {&world().good, &world().intermediate}, tickets, {.priority = GetParam()});
    EXPECT_EQ(outcome.state, TlsEngine::State::failed);
  }
}

// Let's Encrypt's change of 2021: the new root is also cross-signed by an old one that has expired.
TEST_P(TlsVerify, ExpiredCrossSignBesideAValidPath) {
  const TestIdentity old_root({.common_name = "Old Root",
                               .valid_from = hours(-48),
                               .valid_to = hours(-1),
                               .authority = true});
  const TestIdentity new_root({.common_name = "New Root", .authority = true});
  const TestIdentity cross({.common_name = "New Root",
                            .valid_from = hours(-48),
                            .valid_to = hours(-1),
                            .authority = true},
                           &old_root, new_root.key());
  const TestIdentity middle({.common_name = "Middle", .authority = true}, &new_root);
  const TestIdentity leaf({.dns_names = {"dns.example"}}, &middle);
  struct Row {
    const char* reason;
    std::string trusted;
    bool accepted;
  };
  const Row rows[] = {
      {"both roots are trusted", old_root.pem() + new_root.pem(), true},
      {"the new root comes first", new_root.pem() + old_root.pem(), true},
      {"only the new root is trusted", new_root.pem(), true},
      {"only the old root is trusted", old_root.pem(), false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.reason);
    TlsTicketStore tickets;
    const std::string file = world().directory.write("cross.pem", row.trusted);
    for (const auto& chain :
         {std::vector<const TestIdentity*>{&leaf, &middle, &cross},
          std::vector<const TestIdentity*>{&leaf, &middle, &cross, &old_root}}) {
      const Outcome outcome =
          connect(peer_named("dns.example", file), chain, tickets, {.priority = GetParam()});
      EXPECT_EQ(outcome.state == TlsEngine::State::ready, row.accepted) << outcome.failure.reason;
    }
  }
}

TEST_P(TlsVerify, AServersOwnCertificateMayBeTrusted) {
  const TestIdentity own({.common_name = "x", .dns_names = {"dns.example"}});
  const TestIdentity expired(
      {.dns_names = {"dns.example"}, .valid_from = hours(-48), .valid_to = hours(-1)});
  TlsTicketStore tickets;
  const std::string file = world().directory.write("own.pem", own.pem() + expired.pem());
  EXPECT_EQ(
      connect(peer_named("dns.example", file), {&own}, tickets, {.priority = GetParam()}).state,
      TlsEngine::State::ready);
  EXPECT_NE(connect(peer_named("other.example", file), {&own}, tickets, {.priority = GetParam()})
                .failure.reason.find("certificate is for other names: dns.example"),
            std::string::npos);
  EXPECT_EQ(
      connect(peer_named("dns.example", file), {&expired}, tickets, {.priority = GetParam()}).state,
      TlsEngine::State::failed);
}

TEST_P(TlsVerify, ALongChainIsRefused) {
  std::vector<const TestIdentity*> chain = {&world().good, &world().intermediate};
  while (chain.size() < 17) chain.push_back(&world().root);
  TlsTicketStore tickets;
  const Outcome outcome = connect(peer_named("dns.example", world().root_file), chain, tickets,
                                  {.priority = GetParam()});
  EXPECT_EQ(outcome.state, TlsEngine::State::failed);
}

TEST_P(TlsVerify, HostileNamesDoNotReachALog) {
  const TestIdentity leaf(
      {.common_name = "a\"b\nlevel=error \x1b[31m\\", .raw_dns_name = "evil\r\n\"\x7f.example"},
      &world().root);
  TlsTicketStore tickets;
  const Outcome outcome = connect(peer_named("dns.example", world().root_file), {&leaf}, tickets,
                                  {.priority = GetParam()});
  ASSERT_EQ(outcome.state, TlsEngine::State::failed);
  for (const char character : outcome.failure.reason) {
    EXPECT_TRUE(character >= 0x20 && character < 0x7F) << outcome.failure.reason;
  }
  for (const char* part : {"evil\\x0d\\x0a\\x22\\x7f.example", "b\\x0alevel=error \\x1b[31m"}) {
    EXPECT_NE(outcome.failure.reason.find(part), std::string::npos) << outcome.failure.reason;
  }
}

TEST(EscapeForLog, Table) {
  EXPECT_EQ(escape_for_log("plain text", 20), "plain text");
  EXPECT_EQ(escape_for_log("\"\\\n", 20), "\\x22\\x5c\\x0a");
  EXPECT_EQ(escape_for_log(std::string_view("\0\xC3\xA4", 3), 20), "\\x00\\xc3\\xa4");
  EXPECT_EQ(escape_for_log("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace sotto::test
