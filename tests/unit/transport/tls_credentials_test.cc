#include "transport/tls_credentials.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "test_certificates.h"

namespace sotto::test {
namespace {

TlsPeerIdentity peer(const std::string& name) {
  return {.endpoint = SocketAddress::parse("192.0.2.1:853").value(),
          .auth_name = name,
          .pins = {},
          .ca_file = {}};
}

TEST(Pins, Parse) {
  const std::string good = "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
  const auto pin = parse_pin(good);
  ASSERT_TRUE(pin);
  for (std::size_t i = 0; i < pin->size(); ++i) EXPECT_EQ((*pin)[i], i + 1);
  EXPECT_EQ(pin_to_text(*pin), good);

  const std::string base64 = good.substr(7);
  for (const std::string& bad : std::vector<std::string>{
           std::string(), base64, "sha256/", "sha1/" + base64, "SHA256/" + base64,
           "sha256/" + base64.substr(1), "sha256/A" + base64, "sha256/" + base64 + "=",
           "sha256/" + base64 + "\n", "sha256/" + std::string(44, '!'),
           "sha256/" + base64.substr(0, 43) + "A",
           "sha256/" + base64.substr(0, 20) + "\n" + base64.substr(21),
           "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB=",  // spare bits set
       }) {
    EXPECT_FALSE(parse_pin(bad)) << bad;
  }
}

// The expected value is what openssl says: openssl x509 -in FILE -noout -pubkey |
// openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64.
TEST(Pins, HashTheSubjectPublicKeyInfo) {
  const std::string pem =
      "-----BEGIN CERTIFICATE-----\n"
      "MIIBdzCCAR2gAwIBAgIUVGx+Md0gja6g6FDB3EF+Px8IvcQwCgYIKoZIzj0EAwIw\n"
      "ETEPMA0GA1UEAwwGcGlubmVkMB4XDTI2MTEyMDIxNTU0NloXDTM2MTExNzIxNTU0\n"
      "NlowETEPMA0GA1UEAwwGcGlubmVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
      "zsaElshfauqd9g31SxPfDTY26TWfZ06CIzsbS1NeRS6K7sA1NV7ue8zYR2jwD9+x\n"
      "vTBRosw32svfJ4YQL2VP06NTMFEwHQYDVR0OBBYEFC/KTloAteDvJFbjx/oVtVRe\n"
      "PmIQMB8GA1UdIwQYMBaAFC/KTloAteDvJFbjx/oVtVRePmIQMA8GA1UdEwEB/wQF\n"
      "MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgE9T/L5uLuaero65/zuGC5bifZS4BhypE\n"
      "tWF4a0kq74cCIQDxld0+++FR9axEETTpPh+WqDSz9Duxck4eUSd1DYUxBQ==\n"
      "-----END CERTIFICATE-----\n";
  gnutls_x509_crt_t certificate = nullptr;
  ASSERT_EQ(gnutls_x509_crt_init(&certificate), 0);
  std::string copy = pem;
  const gnutls_datum_t datum = {reinterpret_cast<unsigned char*>(copy.data()),
                                static_cast<unsigned>(copy.size())};
  ASSERT_EQ(gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM), 0);
  SpkiPin pin{};
  std::size_t size = pin.size();
  EXPECT_EQ(gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, pin.data(), &size), 0);
  gnutls_x509_crt_deinit(certificate);
  EXPECT_EQ(pin_to_text(pin), "sha256/Ft/cn2w4mehEVDNKsmggD//cwrOgo3nVPAtxt1QseRA=");
}

TEST(TlsTrust, Load) {
  const TempDirectory directory;
  const TestIdentity one({.common_name = "One", .authority = true});
  const TestIdentity two({.common_name = "Two", .authority = true});
  const auto trust =
      TlsTrust::load(directory.write("ca.pem", one.pem() + "a comment\n" + two.pem()));
  ASSERT_TRUE(trust);
  EXPECT_EQ((*trust)->certificates(), 2U);
  EXPECT_EQ((*trust)->ca_file(), directory.path() + "/ca.pem");

  EXPECT_EQ(TlsTrust::load(directory.path() + "/missing.pem").error(), Error::bad_certificate_file);
  EXPECT_EQ(TlsTrust::load(directory.path()).error(), Error::bad_certificate_file);
  EXPECT_EQ(TlsTrust::load(directory.write("empty.pem", "")).error(), Error::bad_certificate_file);
  EXPECT_EQ(TlsTrust::load(directory.write("junk.pem", "no certificate")).error(),
            Error::bad_certificate_file);
  EXPECT_EQ(TlsTrust::load(directory.write("key.pem", one.key()->pem())).error(),
            Error::bad_certificate_file);
}

TEST(TlsTrust, FingerprintTellsContentsApart) {
  const TempDirectory directory;
  const TestIdentity one({.common_name = "One", .authority = true});
  const TestIdentity two({.common_name = "Two", .authority = true});
  const auto first = TlsTrust::load(directory.write("a.pem", one.pem())).value();
  const auto same = TlsTrust::load(directory.write("b.pem", one.pem())).value();
  const auto other = TlsTrust::load(directory.write("a.pem", two.pem())).value();
  const auto both = TlsTrust::load(directory.write("c.pem", one.pem() + two.pem())).value();
  EXPECT_EQ(first->fingerprint().size(), 32U);
  EXPECT_EQ(first->fingerprint(), same->fingerprint());
  EXPECT_NE(first->fingerprint(), other->fingerprint()) << "the file was replaced";
  EXPECT_NE(first->fingerprint(), both->fingerprint());
}

TEST(TlsTicketStore, NewestFirstAndOnceEach) {
  TlsTicketStore store;
  EXPECT_FALSE(store.take(peer("a")));
  for (std::uint8_t i = 1; i <= 6; ++i) store.put(peer("a"), {i});
  EXPECT_EQ(store.size(), TlsTicketStore::tickets_per_peer_max);
  for (std::uint8_t i = 6; i > 2; --i) EXPECT_EQ(store.take(peer("a")).value().at(0), i);
  EXPECT_FALSE(store.take(peer("a")));
  EXPECT_EQ(store.size(), 0U);
}

TEST(TlsTicketStore, EveryExpectationIsPartOfTheKey) {
  TlsTicketStore store;
  store.put(peer("a"), {1});
  TlsPeerIdentity other = peer("a");
  other.endpoint.port = 8'853;
  EXPECT_FALSE(store.take(other));
  other = peer("a");
  other.endpoint.ip = IpAddress::parse("192.0.2.2").value();
  EXPECT_FALSE(store.take(other));
  other = peer("a");
  other.pins.push_back({});
  EXPECT_FALSE(store.take(other));
  other = peer("a");
  other.ca_file = "/other.pem";
  EXPECT_FALSE(store.take(other));
  EXPECT_FALSE(store.take(peer("b")));
  EXPECT_TRUE(store.take(peer("a")));
}

TEST(TlsTicketStore, ForgetsAPeer) {
  TlsTicketStore store;
  store.put(peer("a"), {1});
  store.put(peer("a"), {2});
  store.put(peer("b"), {3});
  store.forget(peer("a"));
  EXPECT_FALSE(store.take(peer("a")));
  EXPECT_TRUE(store.take(peer("b")));
}

TEST(TlsTicketStore, IsBounded) {
  TlsTicketStore store;
  store.put(peer("first"), {1});
  store.put(peer("second"), {1});
  store.put(peer("first"), {2});  // now the second is the oldest
  for (std::size_t i = 2; i < TlsTicketStore::peers_max; ++i)
    store.put(peer(std::to_string(i)), {1});
  store.put(peer("one more"), {1});
  EXPECT_TRUE(store.take(peer("first")));
  EXPECT_FALSE(store.take(peer("second")));
  for (int i = 0; i < 1'000; ++i) store.put(peer("x" + std::to_string(i)), {1});
  EXPECT_LE(store.size(), TlsTicketStore::peers_max * TlsTicketStore::tickets_per_peer_max);
}

TEST(TlsTicketStore, ShowsAllItHasAndWhetherItChanged) {
  TlsTicketStore store;
  const std::uint64_t empty = store.changes();
  EXPECT_TRUE(store.all().empty());
  store.put(peer("b"), {1});
  store.put(peer("a"), {2});
  store.put(peer("b"), {3});
  const std::uint64_t filled = store.changes();
  EXPECT_NE(filled, empty);
  const std::vector<PeerTickets> expected = {{peer("a"), {{2}}}, {peer("b"), {{1}, {3}}}};
  EXPECT_EQ(store.all(), expected);
  store.forget(peer("nobody"));
  EXPECT_FALSE(store.take(peer("nobody")));
  EXPECT_EQ(store.changes(), filled);
  EXPECT_TRUE(store.take(peer("b")));
  EXPECT_NE(store.changes(), filled);
  const std::uint64_t taken = store.changes();
  store.forget(peer("a"));
  EXPECT_NE(store.changes(), taken);
}

// For ThreadSanitizer, and no ticket is ever given out twice.
TEST(TlsTicketStore, ManyThreads) {
  TlsTicketStore store;
  constexpr int threads = 4;
  constexpr int rounds = 2'000;
  std::vector<std::vector<std::uint32_t>> taken(threads);
  std::vector<std::thread> workers;
  for (int thread = 0; thread < threads; ++thread) {
    workers.emplace_back([&store, &taken, thread] {
      for (int i = 0; i < rounds; ++i) {
        const auto id = static_cast<std::uint32_t>(thread * rounds + i);
        std::vector<std::uint8_t> ticket(4);
        for (unsigned k = 0; k < 4; ++k) ticket[k] = static_cast<std::uint8_t>(id >> (8 * k));
        store.put(peer(std::to_string(i % 3)), ticket);
        if (i % 500 == 0) store.forget(peer("1"));
        if (const auto got = store.take(peer(std::to_string(i % 2)))) {
          std::uint32_t value = 0;
          for (unsigned k = 0; k < 4; ++k) value |= std::uint32_t{(*got)[k]} << (8 * k);
          taken[static_cast<std::size_t>(thread)].push_back(value);
        }
        (void)store.size();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::vector<std::uint32_t> all;
  for (const auto& part : taken) all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace
}  // namespace sotto::test
