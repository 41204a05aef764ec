// Certificates of clients: every fault, on a full and on a resumed handshake, over TLS 1.2 and 1.3,
// where one is required and where it is not; and which tickets are good where.
#include "transport/tls_client_verify.h"

#include <atomic>
#include <ctime>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "test_tls_world.h"
#include "transport/tls_engine.h"

namespace sotto::test {
namespace {

using State = TlsEngine::State;
using std::chrono::hours;

constexpr const char* client_auth = GNUTLS_KP_TLS_WWW_CLIENT;

CertificateSpec of_client(const char* name) {
  return {.dns_names = {name}, .purpose = client_auth};
}

struct ClientWorld {
  TempDirectory directory;
  TestIdentity root{{.common_name = "Clients' Root", .authority = true}};
  TestIdentity other_root{{.common_name = "Other Root", .authority = true}};
  TestIdentity intermediate{{.common_name = "Clients' Intermediate", .authority = true}, &root};
  TestIdentity right{of_client("laptop.example"), &root};
  TestIdentity by_intermediate{of_client("phone.example"), &intermediate};
  TestIdentity any_purpose{{.dns_names = {"tablet.example"}, .purpose = nullptr}, &root};
  TestIdentity wrong_ca{of_client("laptop.example"), &other_root};
  TestIdentity self_signed{of_client("laptop.example")};
  TestIdentity expired{{.dns_names = {"laptop.example"},
                        .valid_from = hours(-48),
                        .valid_to = hours(-1),
                        .purpose = client_auth},
                       &root};
  TestIdentity early{{.dns_names = {"laptop.example"},
                      .valid_from = hours(1),
                      .valid_to = hours(48),
                      .purpose = client_auth},
                     &root};
  TestIdentity server_only{{.dns_names = {"laptop.example"}}, &root};
  std::shared_ptr<const TlsTrust> trust = load("root.pem", root);
  std::shared_ptr<const TlsTrust> other_trust = load("other.pem", other_root);
  TlsServerSettings plain = server_settings();

  std::shared_ptr<const TlsTrust> load(const char* name, const TestIdentity& authority) const {
    return TlsTrust::load(directory.write(name, authority.pem())).value();
  }
  TlsServerSettings asking(bool required = true) const { return asking(trust, required); }
  TlsServerSettings asking(std::shared_ptr<const TlsTrust> clients, bool required) const {
    return {.credentials = plain.credentials,
            .client_trust = std::move(clients),
            .client_certificate_required = required};
  }
};

ClientWorld& clients() {
  static ClientWorld the_world;
  return the_world;
}

struct Outcome {
  State state = State::handshaking;
  TlsFailure failure;
  bool resumed = false;
  std::string identity;
  std::string alert;  // that the client got
  Octets session;     // for the next connection
};

using Chain = std::vector<const TestIdentity*>;

Outcome connect(const TlsServerSettings& settings, const char* priority, const Chain& chain,
                const Octets& session = {}, const Cut& cut = whole) {
  TestClient client({.priority = priority, .chain = chain, .session = session});
  const auto server = TlsEngine::server(settings, {"dot"});
  run_handshake(client, *server, cut);
  Outcome outcome{.state = server->state(),
                  .failure = server->failure(),
                  .resumed = server->resumed(),
                  .identity = server->client_identity(),
                  .alert = {},
                  .session = {}};
  if (server->state() == State::ready) {
    outcome.session = client.session_data();
  } else {
    outcome.alert = client.alert();
  }
  return outcome;
}

class TlsClientVerify : public testing::TestWithParam<const char*> {
 protected:
  bool tls12() const { return GetParam() == std::string_view(tls12_priority); }
};
INSTANTIATE_TEST_SUITE_P(All, TlsClientVerify, testing::Values(tls12_priority, tls13_priority));

struct Refused {
  const char* name;
  Chain chain;
  const char* reason;
  const char* alert;
};

std::vector<Refused> refused_clients() {
  const ClientWorld& w = clients();
  return {{"of another authority", {&w.wrong_ca}, "unknown issuer", "CA is unknown"},
          {"self-signed", {&w.self_signed}, "unknown issuer", "CA is unknown"},
          {"without its intermediate", {&w.by_intermediate}, "unknown issuer", "CA is unknown"},
          {"expired", {&w.expired}, "has expired", "Certificate is expired"},
          {"not yet valid", {&w.early}, "not yet valid", "Certificate is bad"},
          {"of a server",
           {&w.server_only},
           "not meant for a TLS client",
           "Certificate is not supported"}};
}

TEST_P(TlsClientVerify, RefusesWhatDoesNotVerify) {
  for (const bool required : {true, false}) {
    for (const Refused& row : refused_clients()) {
      const Outcome outcome = connect(clients().asking(required), GetParam(), row.chain);
      EXPECT_EQ(outcome.state, State::failed) << row.name;
      EXPECT_EQ(outcome.failure.kind, TlsFailure::Kind::authentication) << row.name;
      EXPECT_TRUE(outcome.failure.reason.starts_with("client refused: "));
      EXPECT_NE(outcome.failure.reason.find(row.reason), std::string::npos)
          << row.name << ": " << outcome.failure.reason;
      EXPECT_EQ(outcome.alert, row.alert) << row.name;
      EXPECT_EQ(outcome.identity, "") << row.name;
    }
  }
}

TEST_P(TlsClientVerify, NoCertificateIsRefusedWhereOneIsRequired) {
  const Outcome refused = connect(clients().asking(true), GetParam(), {});
  EXPECT_EQ(refused.state, State::failed);
  EXPECT_EQ(refused.failure.reason, "client refused: it showed no certificate");
  EXPECT_EQ(refused.alert, tls12() ? "Handshake failed" : "Certificate is required");

  Octets session;
  for (const bool resumed : {false, true}) {
    const Outcome accepted = connect(clients().asking(false), GetParam(), {}, session);
    EXPECT_EQ(accepted.state, State::ready) << accepted.failure.reason;
    EXPECT_EQ(accepted.resumed, resumed);
    EXPECT_EQ(accepted.identity, "");
    session = accepted.session;
  }
}

TEST_P(TlsClientVerify, KnowsWhoIsThereAfterEveryHandshake) {
  const ClientWorld& w = clients();
  struct Case {
    Chain chain;
    const char* identity;
  };
  const Case cases[] = {{{&w.right}, "laptop.example"},
                        {{&w.by_intermediate, &w.intermediate}, "phone.example"},
                        {{&w.any_purpose}, "tablet.example"}};
  for (const bool required : {true, false}) {
    for (const Case& row : cases) {
      Octets session;
      for (int round = 0; round < 3; ++round) {
        const Outcome outcome = connect(clients().asking(required), GetParam(), row.chain, session);
        ASSERT_EQ(outcome.state, State::ready) << outcome.failure.reason;
        EXPECT_EQ(outcome.resumed, round > 0);
        EXPECT_EQ(outcome.identity, row.identity);
        session = outcome.session;
      }
    }
  }
}

TEST_P(TlsClientVerify, ListenersWithoutAuthoritiesDoNotAsk) {
  Octets session;
  for (const bool resumed : {false, true}) {
    const Outcome outcome = connect(clients().plain, GetParam(), {&clients().wrong_ca}, session);
    EXPECT_EQ(outcome.state, State::ready) << outcome.failure.reason;
    EXPECT_EQ(outcome.resumed, resumed);
    EXPECT_EQ(outcome.identity, "");
    session = outcome.session;
  }
}

// All of them have the same ticket key. A ticket is refused by its key already, so the handshake is
// a full one and its client is asked: one that has what it takes gets in.
TEST_P(TlsClientVerify, TicketsAreGoodOnlyWhereTheSameIsAskedFor) {
  const ClientWorld& w = clients();
  const TlsServerSettings listeners[] = {w.plain, w.asking(true), w.asking(false),
                                         w.asking(w.other_trust, true),
                                         w.asking(w.other_trust, false)};
  for (const TlsServerSettings& giver : listeners) {
    const bool other = giver.client_trust == w.other_trust;
    const Chain chain = {other ? &w.wrong_ca : &w.right};
    const Octets session = connect(giver, GetParam(), chain).session;
    ASSERT_FALSE(session.empty());
    for (const TlsServerSettings& taker : listeners) {
      const Outcome outcome = connect(taker, GetParam(), chain, session);
      const bool same = giver.client_trust == taker.client_trust &&
                        giver.client_certificate_required == taker.client_certificate_required;
      EXPECT_EQ(outcome.resumed, same);
      const bool verifies =
          taker.client_trust == nullptr || (taker.client_trust == w.other_trust) == other;
      EXPECT_EQ(outcome.state, verifies ? State::ready : State::failed);
      const Outcome nobody = connect(taker, GetParam(), {}, session);
      const bool may_pass = same || !taker.client_trust || !taker.client_certificate_required;
      EXPECT_EQ(nobody.state, may_pass ? State::ready : State::failed);
      EXPECT_EQ(nobody.identity.empty(), !same || taker.client_trust == nullptr);
    }
  }
}

TEST_P(TlsClientVerify, OtherAuthoritiesInTheFileVoidTickets) {
  const ClientWorld& w = clients();
  const Octets session = connect(w.asking(), GetParam(), {&w.right}).session;
  const auto again = w.load("again.pem", w.root);
  EXPECT_TRUE(connect(w.asking(again, true), GetParam(), {&w.right}, session).resumed)
      << "the same certificates in another file";
  const auto more =
      TlsTrust::load(w.directory.write("more.pem", w.root.pem() + w.other_root.pem())).value();
  const Outcome outcome = connect(w.asking(more, true), GetParam(), {&w.right}, session);
  EXPECT_FALSE(outcome.resumed);
  EXPECT_EQ(outcome.state, State::ready);
}

std::atomic<std::time_t> shift_seconds{0};
std::time_t shifted_time(std::time_t* out) {
  const std::time_t now = std::chrono::system_clock::to_time_t(wall_now()) + shift_seconds.load();
  if (out != nullptr) *out = now;
  return now;
}

TEST_P(TlsClientVerify, AResumedClientIsCheckedToo) {
  const TestIdentity brief(
      {.dns_names = {"brief.example"}, .valid_to = hours(1), .purpose = client_auth},
      &clients().root);
  gnutls_global_set_time_function(&shifted_time);
  for (const bool required : {true, false}) {
    const TlsServerSettings settings = clients().asking(required);
    const Octets session = connect(settings, GetParam(), {&brief}).session;
    EXPECT_EQ(connect(settings, GetParam(), {}, session).identity, "brief.example");
    shift_seconds = 2 * 3'600;
    const Outcome outcome = connect(settings, GetParam(), {&brief}, session);
    shift_seconds = 0;
    EXPECT_TRUE(outcome.resumed);
    EXPECT_EQ(outcome.state, State::failed);
    EXPECT_NE(outcome.failure.reason.find("has expired"), std::string::npos)
        << outcome.failure.reason;
    EXPECT_TRUE(outcome.failure.reason.ends_with("(resumed session)"));
    EXPECT_EQ(outcome.alert, "Certificate is expired");
  }
}

TEST_P(TlsClientVerify, HoweverTheOctetsAreCut) {
  const Outcome uncut = connect(clients().asking(), GetParam(), {&clients().right});
  for (const Octets& session : {Octets(), uncut.session}) {
    const Outcome outcome =
        connect(clients().asking(), GetParam(), {&clients().right}, session, single);
    EXPECT_EQ(outcome.state, State::ready) << outcome.failure.reason;
    EXPECT_EQ(outcome.resumed, !session.empty());
    EXPECT_EQ(outcome.identity, "laptop.example");
  }
  for (const Refused& row : refused_clients()) {
    const Outcome outcome = connect(clients().asking(), GetParam(), row.chain, {}, single);
    EXPECT_EQ(outcome.state, State::failed);
    EXPECT_EQ(outcome.alert, row.alert) << row.name;
  }
}

// The most telling of its names, in one printable line, and never the common name.
TEST(TlsClientIdentity, IsOneOfItsAlternativeNames) {
  struct Case {
    CertificateSpec spec;
    std::string identity;
  };
  const Case cases[] = {
      {{.dns_names = {"a.example", "b.example"}, .ip_addresses = {"192.0.2.1"}}, "a.example"},
      {{.common_name = "Common", .ip_addresses = {"192.0.2.1"}}, "192.0.2.1"},
      {{.ip_addresses = {"2001:db8::1"}}, "2001:db8::1"},
      {{.emails = {"me@a.example"}, .uris = {"spiffe://a"}, .ip_addresses = {"192.0.2.1"}},
       "me@a.example"},
      {{.uris = {"spiffe://a.example/x"}, .ip_addresses = {"192.0.2.1"}}, "spiffe://a.example/x"},
      {{.raw_dns_name = "a\n\"b"}, "a\\x0a\\x22b"},
  };
  for (Case row : cases) {
    row.spec.purpose = client_auth;
    const TestIdentity identity(row.spec, &clients().root);
    const Outcome outcome = connect(clients().asking(), tls13_priority, {&identity});
    EXPECT_EQ(outcome.state, State::ready) << outcome.failure.reason;
    EXPECT_EQ(outcome.identity, row.identity);
  }
  const TestIdentity nameless({.common_name = "Common", .purpose = client_auth}, &clients().root);
  EXPECT_EQ(connect(clients().asking(), tls13_priority, {&nameless}).identity, nameless.pin());
}

}  // namespace
}  // namespace sotto::test
