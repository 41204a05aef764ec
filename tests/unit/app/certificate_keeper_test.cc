// Files that change under a running sotto, and certificates that expire.
#include "app/certificate_keeper.h"

#include <gtest/gtest.h>

#include "log_lines.h"
#include "server_tls_world.h"

namespace sotto::test {
namespace {

using std::chrono::hours;

class CertificateKeeperTest : public testing::Test {
 protected:
  void adopt(const ServerTlsFiles& files) {
    auto loaded = load_server_tls(files, world_.own_key);
    ASSERT_TRUE(loaded) << loaded.error().front().what;
    keeper_.adopt(std::move(*loaded), now_);
  }
  std::optional<ServerTls> look() {
    EXPECT_GE(keeper_.next_look(), now_ + CertificateKeeper::settle_interval);
    EXPECT_LE(keeper_.next_look(), now_ + CertificateKeeper::look_interval);
    now_ = keeper_.next_look();
    return keeper_.look(now_);
  }
  static std::string name_in(const std::optional<ServerTls>& tls) {
    return tls ? tls->credentials->certificates().front().dns_names.front() : "";
  }

  ServerTlsWorld world_;
  Lines lines_;
  CertificateKeeper keeper_{lines_.log};
  Instant now_ = monotonic_now();
};

TEST_F(CertificateKeeperTest, LooksAtNothingWhereThereIsNoFile) {
  adopt({});
  EXPECT_EQ(keeper_.next_look(), never);
}

TEST_F(CertificateKeeperTest, TakesUpWhatWasReplacedOnceItIsComplete) {
  const CertificatePair pair = world_.replace_pair("a", identity_for("old.example"));
  adopt({.pairs = {pair}, .ticket_key_file = {}, .client_cas = {}});
  EXPECT_FALSE(look());
  const TestIdentity fresh = identity_for("new.example");
  world_.replace("a.pem", fresh.pem());
  EXPECT_FALSE(look()) << "the key may be on its way";
  world_.replace("a.key", fresh.key()->pem());
  EXPECT_FALSE(look());
  EXPECT_EQ(name_in(look()), "new.example");
  EXPECT_FALSE(look());
  EXPECT_TRUE(lines_.say("server_tls.reloaded"));
  EXPECT_EQ(lines_.count("server_tls.kept"), 0U);
}

TEST_F(CertificateKeeperTest, KeepsWhatItHasWhenTheNewIsBrokenAndSaysSoOnce) {
  const CertificatePair pair = world_.replace_pair("a", identity_for("old.example"));
  adopt({.pairs = {pair}, .ticket_key_file = {}, .client_cas = {}});
  const TestIdentity fresh = identity_for("new.example");
  world_.replace("a.pem", fresh.pem());
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(look());
  EXPECT_TRUE(lines_.say("server_tls.kept"));
  EXPECT_EQ(lines_.count("server_tls.kept"), 1U);
  EXPECT_EQ(lines_.count("does not belong to the certificate"), 1U);
  std::filesystem::remove(pair.key);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(look());
  EXPECT_TRUE(lines_.say("No such file or directory")) << "another fault is told";
  world_.replace("a.key", fresh.key()->pem());
  EXPECT_FALSE(look());
  EXPECT_EQ(name_in(look()), "new.example");
}

// Kubernetes mounts secrets as links into a directory that is replaced as a whole.
TEST_F(CertificateKeeperTest, FollowsLinksToWhatTheyLeadToNow) {
  for (const char* version : {"v1", "v2"}) {
    std::filesystem::create_directory(world_.path(version));
    world_.replace_pair(std::string(version) + "/tls",
                        identity_for(std::string(version) + ".example"));
  }
  std::filesystem::create_symlink("v1", world_.path("..data"));
  std::filesystem::create_symlink("..data/tls.pem", world_.path("tls.pem"));
  std::filesystem::create_symlink("..data/tls.key", world_.path("tls.key"));
  adopt({.pairs = {{world_.path("tls.pem"), world_.path("tls.key")}},
         .ticket_key_file = {},
         .client_cas = {}});
  EXPECT_FALSE(look());
  std::filesystem::create_symlink("v2", world_.path("..new"));
  std::filesystem::rename(world_.path("..new"), world_.path("..data"));
  EXPECT_FALSE(look());
  EXPECT_EQ(name_in(look()), "v2.example");
}

TEST_F(CertificateKeeperTest, AnotherTicketKeyIsTakenUpAndTheOwnOneStays) {
  const CertificatePair pair = world_.replace_pair("a", identity_for("a.example"));
  const std::string key = world_.replace("tickets", std::string(64, 'k'));
  adopt({.pairs = {pair}, .ticket_key_file = key, .client_cas = {}});
  world_.replace("tickets", std::string(64, 'n'));
  EXPECT_FALSE(look());
  const auto changed = look();
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->credentials->ticket_key().octets().front(), 'n');
  EXPECT_TRUE(lines_.say("void, as their key is another one"));

  adopt({.pairs = {pair}, .ticket_key_file = {}, .client_cas = {}});
  world_.replace_pair("a", identity_for("b.example"));
  EXPECT_FALSE(look());
  EXPECT_EQ(look()->credentials->ticket_key().octets(), world_.own_key->octets());
  EXPECT_TRUE(lines_.say("tickets=kept"));
}

TEST_F(CertificateKeeperTest, AuthoritiesOfClientsAreTakenUp) {
  const TestIdentity one({.common_name = "One", .authority = true});
  const TestIdentity two({.common_name = "Two", .authority = true});
  const std::string ca = world_.replace("ca.pem", one.pem());
  adopt({.pairs = {}, .ticket_key_file = {}, .client_cas = {ca}});
  const auto before =
      load_server_tls({.pairs = {}, .ticket_key_file = {}, .client_cas = {ca}}, world_.own_key);
  world_.replace("ca.pem", two.pem());
  EXPECT_FALSE(look());
  const auto changed = look();
  ASSERT_TRUE(changed);
  EXPECT_NE(changed->client_trust.at(ca)->fingerprint(),
            before->client_trust.at(ca)->fingerprint());
}

TEST_F(CertificateKeeperTest, TellsWhatExpires) {
  ServerTlsFiles files;
  files.pairs.push_back(world_.replace_pair("long", identity_for("a.example", hours(24 * 90 + 1))));
  files.pairs.push_back(world_.replace_pair("soon", identity_for("b.example", hours(24 * 13 + 1))));
  files.pairs.push_back(world_.replace_pair(
      "over",
      TestIdentity({.dns_names = {"c.example"}, .valid_from = hours(-48), .valid_to = hours(-1)})));
  adopt(files);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(look());
  EXPECT_TRUE(lines_.say("certificate.expired"));
  for (const char* said : {"info    certificate.used", "warning certificate.expires",
                           "error   certificate.expired", "days=90", "days=13", "days=-1"}) {
    EXPECT_EQ(lines_.count(said), 1U) << said;
  }
}

TEST_F(CertificateKeeperTest, TellsWhatIsNotValidYet) {
  ServerTlsFiles files;
  files.pairs.push_back(world_.replace_pair(
      "early",
      TestIdentity({.dns_names = {"a.example"}, .valid_from = hours(1), .valid_to = hours(48)})));
  adopt(files);
  EXPECT_FALSE(look());
  EXPECT_TRUE(lines_.say("error   certificate.early"));
  EXPECT_EQ(lines_.count("certificate.early"), 1U) << "once a day";
  EXPECT_EQ(lines_.count("certificate.expires"), 0U) << "that is not what is wrong today";
}

TEST_F(CertificateKeeperTest, WarnsOfWhatClientsRefuseOrSoonWill) {
  const auto warnings = [&](std::chrono::seconds from, std::chrono::seconds to) {
    ServerTlsFiles files;
    files.pairs.push_back(world_.replace_pair(
        "a", TestIdentity({.dns_names = {"a.example"}, .valid_from = from, .valid_to = to})));
    std::string text;
    for (const std::string& warning :
         certificate_warnings(*load_server_tls(files, world_.own_key))) {
      text += warning + "\n";
    }
    return text.substr(0, text.find(world_.path("a.pem")));
  };
  EXPECT_EQ(warnings(hours(-1), hours(24 * 15)), "");
  EXPECT_EQ(warnings(hours(-1), hours(24 * 13)), "the certificate in ");
  EXPECT_EQ(warnings(hours(-2), hours(-1)), "the certificate in ");
  EXPECT_EQ(warnings(hours(1), hours(24 * 90)), "clients refuse the certificate in ");
  EXPECT_TRUE(certificate_warnings({}).empty());
}

TEST_F(CertificateKeeperTest, TellsOfAKeyThatIsNoSecret) {
  using std::filesystem::perms;
  const CertificatePair pair = world_.replace_pair("a", identity_for("a.example"));
  const ServerTlsFiles files{.pairs = {pair}, .ticket_key_file = {}, .client_cas = {}};
  const perms secret = perms::owner_read | perms::group_read;
  std::filesystem::permissions(pair.key, secret);
  EXPECT_TRUE(certificate_warnings(*load_server_tls(files, world_.own_key)).empty());
  std::filesystem::permissions(pair.key, secret | perms::others_read);
  EXPECT_EQ(certificate_warnings(*load_server_tls(files, world_.own_key)),
            std::vector<std::string>{"every user of this host may read the private key in " +
                                     pair.key + "; chmod 600, or 640 for a group"});
  adopt(files);
  EXPECT_TRUE(lines_.say("warning server_tls.exposed"));
}

}  // namespace
}  // namespace sotto::test
