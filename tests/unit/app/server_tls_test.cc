// The files of encrypted listeners as the configuration names them.
#include "app/server_tls.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "app/config_source.h"
#include "server_tls_world.h"

namespace sotto::test {
namespace {

class ServerTlsTest : public testing::Test {
 protected:
  ServerTlsTest() {
    world_.replace_pair("a", identity_for("a.example"));
    world_.replace_pair("b", identity_for("b.example"));
    world_.replace("ca.pem", identity_for("ca").pem());
  }

  ConfigSource source(const std::string& text) const {
    return {world_.replace("sotto.toml", text), {}, [](const char*) { return nullptr; }};
  }
  // The first error, with the world's directory as DIR.
  std::string error_of(const std::string& text) const {
    const auto loaded = source(text).load();
    if (loaded) return "";
    std::string error = loaded.error().front().text();
    const std::string folder = world_.directory.path();
    for (std::size_t at = error.find(folder); at != std::string::npos; at = error.find(folder)) {
      error.replace(at, folder.size(), "DIR");
    }
    return error;
  }

  ServerTlsWorld world_;
};

constexpr const char* pairs_a_b =
    "[server_tls]\ncertificate = [\"a.pem\", \"b.pem\"]\nkey = [\"a.key\", \"b.key\"]\n";

TEST_F(ServerTlsTest, IsLoadedWithTheConfiguration) {
  const ConfigSource from =
      source("[listen]\ntls = [{ address = \"127.0.0.1:1853\", client_ca = \"ca.pem\" }]\n" +
             std::string(pairs_a_b));
  const auto loaded = from.load();
  ASSERT_TRUE(loaded) << errors_text(loaded.error());
  const ServerTls& tls = loaded->server_tls;
  ASSERT_NE(tls.credentials, nullptr);
  EXPECT_EQ(tls.credentials->certificates().at(1).file, world_.path("b.pem"));
  EXPECT_EQ(tls.client_trust.size(), 1U);
  EXPECT_TRUE(tls.client_trust.contains(world_.path("ca.pem")));
  EXPECT_EQ(tls.stamps.size(), 5U);
  const auto again = from.load();
  EXPECT_EQ(again->server_tls.credentials->ticket_key().octets(),
            tls.credentials->ticket_key().octets())
      << "sessions survive a reload";
  EXPECT_EQ(source("").load()->server_tls.credentials, nullptr);
}

TEST_F(ServerTlsTest, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(world_.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of("[server_tls]\ncertificate = \"a.pem\"\nkey = \"pipe\"\n"),
            "DIR/sotto.toml:3:7: it is no regular file (\"DIR/pipe\")");
}

TEST_F(ServerTlsTest, OneFileNeedsNoList) {
  const auto loaded = source("[server_tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n").load();
  ASSERT_TRUE(loaded);
  const std::string printed = config_text(loaded->config);
  EXPECT_NE(printed.find("\ncertificate = \"" + world_.path("a.pem") + "\"\n"), std::string::npos)
      << printed;
}

TEST_F(ServerTlsTest, ErrorsSayWhereWhatAndWhatToDo) {
  const std::string no_certificate =
      " needs a certificate; set server_tls.certificate and server_tls.key; for a try, openssl "
      "makes a self-signed one: openssl req -x509 -newkey ec -pkeyopt "
      "ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost -addext "
      "subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem";
  world_.replace("short", "too short");
  struct Case {
    std::string text;
    std::string error;
  };
  const Case cases[] = {
      {"[listen]\ntls = [\"127.0.0.1:1853\"]\n", "DIR/sotto.toml:2:8: listen.tls" + no_certificate},
      {"[listen]\nhttps = [\"127.0.0.1:1443\"]\n",
       "DIR/sotto.toml:2:10: listen.https" + no_certificate},
      {"[server_tls]\ncertificate = \"a.pem\"\n",
       "DIR/sotto.toml:2:15: server_tls.certificate names 1 and server_tls.key 0 files; each "
       "certificate needs its key, in the same order"},
      {"[server_tls]\ncertificate = \"a.pem\"\nkey = [\"a.key\", \"b.key\"]\n",
       "DIR/sotto.toml:3:8: server_tls.certificate names 1 and server_tls.key 2 files; each "
       "certificate needs its key, in the same order"},
      {"[server_tls]\ncertificate = \"\"\nkey = \"a.key\"\n",
       "DIR/sotto.toml:2:15: the name of the file is empty"},
      {"[server_tls]\ncertificate = \"a.pem\"\nkey = \"b.key\"\n",
       "DIR/sotto.toml:3:7: the private key does not belong to the certificate in DIR/a.pem "
       "(\"DIR/b.key\"); give each certificate the key that it was requested with, in the same "
       "order"},
      {"[server_tls]\nticket_key_file = \"short\"\n",
       "DIR/sotto.toml:2:19: a ticket key has 64 octets, this file has 9 (\"DIR/short\"); make one "
       "with: openssl rand -out FILE 64 && chmod 600 FILE"},
      {"[listen]\ntls = [{ address = \"127.0.0.1:1853\", client_ca = \"none.pem\" }]\n" +
           std::string(pairs_a_b),
       "DIR/sotto.toml:2:50: cannot read the authorities of clients: No such file or directory "
       "(\"DIR/none.pem\")"},
      {"[listen]\ntls = [{ address = \"127.0.0.1:1853\", client_ca = \"short\" }]\n" +
           std::string(pairs_a_b),
       "DIR/sotto.toml:2:50: no certificate can be read from the file (\"DIR/short\"); it must "
       "hold the authorities of client certificates in PEM form"},
  };
  for (const Case& row : cases) EXPECT_EQ(error_of(row.text), row.error);
}

TEST_F(ServerTlsTest, ATicketKeyIsASecret) {
  using std::filesystem::perms;
  const ServerTlsFiles files{.pairs = {}, .ticket_key_file = world_.path("key"), .client_cas = {}};
  const auto fault = [&](perms mode, std::size_t octets = 64) {
    world_.replace("key", std::string(octets, 'k'), mode);
    const auto loaded = load_server_tls(files, world_.own_key);
    return loaded ? "" : loaded.error().front().what;
  };
  const perms owner = perms::owner_read | perms::owner_write;
  EXPECT_EQ(fault(owner), "");
  EXPECT_EQ(fault(perms::owner_read | perms::group_read), "") << "as Kubernetes gives it";
  for (const perms exposed : {perms::others_read, perms::others_write, perms::group_write}) {
    EXPECT_EQ(fault(owner | exposed),
              "the ticket key is not used: others than its owner may use it; its mode must be "
              "0600, or 0640 for a group");
  }
  EXPECT_EQ(fault(owner, 63), "a ticket key has 64 octets, this file has 63");
  EXPECT_EQ(fault(owner, 65), "a ticket key has 64 octets, this file has 65");
  world_.replace("key", std::string(64, 'k'));
  std::filesystem::create_symlink("key", world_.path("link"));
  EXPECT_TRUE(load_server_tls(
      {.pairs = {}, .ticket_key_file = world_.path("link"), .client_cas = {}}, world_.own_key));
  std::filesystem::remove(world_.path("key"));
  EXPECT_EQ(::mkfifo(world_.path("key").c_str(), 0600), 0);
  EXPECT_EQ(load_server_tls(files, world_.own_key).error().front().what,
            "the ticket key is not used: it is no regular file");
}

// Listeners stay as they are until a restart, whatever a new configuration says.
TEST_F(ServerTlsTest, WhatListenersUseIsKept) {
  const auto load = [this](const ServerTlsFiles& files) {
    return load_server_tls(files, world_.own_key).value();
  };
  const ServerTls running = load({.pairs = {{world_.path("a.pem"), world_.path("a.key")}},
                                  .ticket_key_file = {},
                                  .client_cas = {world_.path("ca.pem")}});
  ServerTls nothing = load({});
  keep_in_use(running, nothing);
  EXPECT_EQ(nothing.credentials, running.credentials);
  EXPECT_EQ(nothing.client_trust, running.client_trust);
  EXPECT_EQ(nothing.files, running.files);
  EXPECT_EQ(nothing.stamps, running.stamps);

  ServerTls other = load({.pairs = {{world_.path("b.pem"), world_.path("b.key")}},
                          .ticket_key_file = {},
                          .client_cas = {}});
  const auto credentials = other.credentials;
  keep_in_use(running, other);
  EXPECT_EQ(other.credentials, credentials);
  EXPECT_EQ(other.client_trust.size(), 1U);
  EXPECT_EQ(other.stamps, look_at(other.files.paths()));
}

}  // namespace
}  // namespace sotto::test
