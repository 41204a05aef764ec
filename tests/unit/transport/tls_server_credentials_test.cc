// Certificates of servers: what can be loaded, what is said of what cannot, which is shown to whom.
#include "transport/tls_server_credentials.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "test_tls_world.h"
#include "transport/tls_engine.h"

namespace sotto::test {
namespace {

using State = TlsEngine::State;

// A key that openssl encrypted: openssl ecparam -genkey -name prime256v1 |
// openssl pkcs8 -topk8 -passout pass:secret -iter 1
constexpr const char* encrypted_key =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh0ZXN0dGVzdAICCAAw\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

struct Files {
  TempDirectory directory;
  TestIdentity root{{.common_name = "Root", .authority = true}};
  TestIdentity one{{.dns_names = {"One.example", "*.one.example"}}, &root};
  TestIdentity two{{.dns_names = {"two.example"}, .ip_addresses = {"192.0.2.1", "2001:db8::1"}},
                   &root};

  CertificatePair pair(const std::string& name, const TestIdentity& identity) const {
    return {directory.write(name + ".pem", identity.pem()),
            directory.write(name + ".key", identity.key()->pem())};
  }
};

ServerFileFault fault_of(const std::vector<CertificatePair>& pairs) {
  const auto loaded = TlsServerCredentials::load(pairs, TlsTicketKey::random());
  return loaded ? ServerFileFault{} : loaded.error();
}

TEST(TlsServerCredentials, Load) {
  const Files files;
  const auto key = TlsTicketKey::random();
  const std::string chain = files.directory.write("chain.pem", files.one.pem() + files.root.pem());
  const CertificatePair two = files.pair("two", files.two);
  const auto loaded = TlsServerCredentials::load(
      {{chain, files.directory.write("one.key", files.one.key()->pem())}, two}, key);
  ASSERT_TRUE(loaded) << loaded.error().what;
  const auto& certificates = (*loaded)->certificates();
  ASSERT_EQ(certificates.size(), 2U);
  EXPECT_EQ(certificates[0].file, chain);
  EXPECT_EQ(certificates[0].dns_names, (std::vector<std::string>{"one.example", "*.one.example"}));
  EXPECT_EQ(certificates[1].dns_names, std::vector<std::string>{"two.example"});
  EXPECT_TRUE(certificates[0].addresses.empty());
  EXPECT_EQ(certificates[1].addresses, (std::vector<IpAddress>{*IpAddress::parse("192.0.2.1"),
                                                               *IpAddress::parse("2001:db8::1")}));
  EXPECT_EQ(certificates[1].fingerprint.size(), 32U);
  EXPECT_NE(certificates[0].fingerprint, certificates[1].fingerprint);
  EXPECT_GT(certificates[0].expires, wall_now() + std::chrono::hours{23});
  EXPECT_LT(certificates[0].expires, wall_now() + std::chrono::hours{25});
  EXPECT_EQ(&(*loaded)->ticket_key(), key.get());
}

TEST(TlsServerCredentials, OneFileMayHoldBoth) {
  const Files files;
  const std::string both =
      files.directory.write("both.pem", files.one.key()->pem() + files.one.pem());
  EXPECT_EQ(fault_of({{both, both}}).what, "");
}

struct FaultCase {
  const char* name;
  CertificatePair pair;
  std::string file;
  std::string what;
  const char* advice;
};

void expect_faults(const CertificatePair& good, const std::vector<FaultCase>& cases) {
  for (const FaultCase& row : cases) {
    const ServerFileFault fault = fault_of({good, row.pair});
    EXPECT_EQ(fault.file, row.file) << row.name;
    EXPECT_EQ(fault.what, row.what) << row.name;
    EXPECT_NE(fault.advice.find(row.advice), std::string::npos) << row.name << fault.advice;
  }
}

TEST(TlsServerCredentials, SaysWhichFileCannotBeReadAndWhy) {
  const Files files;
  const CertificatePair good = files.pair("good", files.one);
  const std::string missing = files.directory.path() + "/missing.pem";
  const std::string directory = files.directory.path();
  const std::string junk = files.directory.write("junk.pem", "nothing");
  const std::string locked = files.directory.write("locked.key", encrypted_key);
  expect_faults(good, {{"no certificate file",
                        {missing, good.key},
                        missing,
                        "cannot read the certificate: No such file or directory",
                        ""},
                       {"no key file",
                        {good.certificate, missing},
                        missing,
                        "cannot read the private key: No such file or directory",
                        ""},
                       {"a directory",
                        {directory, good.key},
                        directory,
                        "cannot read the certificate: Is a directory",
                        ""},
                       {"no certificate in it",
                        {junk, good.key},
                        junk,
                        "no certificate can be read from the file",
                        "PEM"},
                       {"a key instead",
                        {good.key, good.key},
                        good.key,
                        "no certificate can be read from the file",
                        "PEM"},
                       {"no key in it",
                        {good.certificate, junk},
                        junk,
                        "no private key can be read from the file",
                        "PEM"},
                       {"an encrypted key",
                        {good.certificate, locked},
                        locked,
                        "the private key is encrypted",
                        "openssl pkey -in"}});
}

TEST(TlsServerCredentials, SaysWhatDoesNotBelongTogether) {
  const Files files;
  const CertificatePair good = files.pair("good", files.one);
  const CertificatePair other = files.pair("other", files.two);
  const std::string reversed =
      files.directory.write("reversed.pem", files.root.pem() + files.one.pem());
  const TestIdentity no_signing({.dns_names = {"a.example"}, .authority = true}, &files.root);
  const CertificatePair authority = files.pair("authority", no_signing);
  expect_faults(good,
                {{"another's key",
                  {good.certificate, other.key},
                  other.key,
                  "the private key does not belong to the certificate in " + good.certificate,
                  "same order"},
                 {"the issuer's certificate first",
                  {reversed, good.key},
                  reversed,
                  "the private key belongs to another certificate than the first in this file",
                  "first"},
                 {"a key that may not sign handshakes", authority, authority.certificate,
                  "the certificate does not allow its key to sign", "ECDSA"}});
}

// "*" stands for one whole label, and case does not matter.
TEST(TlsServerCredentials, IsChosenByTheNameAskedFor) {
  const Files files;
  const TestIdentity exact({.dns_names = {"a.one.example"}}, &files.root);
  const TlsServerSettings settings{
      .credentials =
          TlsServerCredentials::load({files.pair("two", files.two), files.pair("one", files.one),
                                      files.pair("exact", exact)},
                                     TlsTicketKey::random())
              .value(),
      .client_trust = nullptr,
      .client_certificate_required = true};
  struct Case {
    const char* asked;
    const TestIdentity* shown;
  };
  const Case cases[] = {
      {"", &files.two},
      {"unknown.example", &files.two},
      {"two.example", &files.two},
      {"one.example", &files.one},
      {"ONE.Example", &files.one},
      {"b.one.example", &files.one},
      {"a.one.example", &exact},
      {"a.b.one.example", &files.two},
      {".one.example", &files.two},
      {"xone.example", &files.two},
      {"sub.two.example", &files.two},
  };
  for (const char* priority : {tls12_priority, tls13_priority}) {
    for (const Case& row : cases) {
      TestClient client({.priority = priority, .server_name = row.asked});
      const auto server = TlsEngine::server(settings, {"dot"});
      run_handshake(client, *server);
      ASSERT_EQ(server->state(), State::ready) << row.asked << ": " << server->failure().reason;
      EXPECT_TRUE(client.was_shown(*row.shown)) << row.asked;
    }
  }
}

TEST(TlsServerCredentials, IsChosenByWhatTheClientCanVerify) {
  const Files files;
  const TestIdentity ed25519({.dns_names = {"one.example"}}, &files.root,
                             std::make_shared<const TestKey>(GNUTLS_PK_EDDSA_ED25519));
  EXPECT_EQ(fault_of({files.pair("ed25519", ed25519)}).what, "");
  const TlsServerSettings settings{
      .credentials =
          TlsServerCredentials::load({files.pair("ed25519", ed25519), files.pair("one", files.one)},
                                     TlsTicketKey::random())
              .value(),
      .client_trust = nullptr,
      .client_certificate_required = true};
  for (const char* priority : {tls12_priority, tls13_priority}) {
    TestClient modern({.priority = priority, .server_name = "one.example"});
    const auto server = TlsEngine::server(settings, {"dot"});
    run_handshake(modern, *server);
    EXPECT_TRUE(modern.was_shown(ed25519));
    const std::string without = std::string(priority) + ":-SIGN-EDDSA-ED25519";
    TestClient old({.priority = without.c_str(), .server_name = "one.example"});
    const auto again = TlsEngine::server(settings, {"dot"});
    run_handshake(old, *again);
    EXPECT_EQ(again->state(), State::ready) << again->failure().reason;
    EXPECT_TRUE(old.was_shown(files.one));
  }
}

TEST(TlsTicketKey, DerivesAnotherForEachPurpose) {
  const auto key = TlsTicketKey::random();
  EXPECT_EQ(key->derived("a"), key->derived("a"));
  EXPECT_NE(key->derived("a"), key->derived("b"));
  EXPECT_NE(key->derived("a"), key->octets());
  EXPECT_NE(TlsTicketKey::random()->octets(), key->octets());
  EXPECT_EQ(TlsTicketKey(key->octets()).derived("a"), key->derived("a"));
}

}  // namespace
}  // namespace sotto::test
