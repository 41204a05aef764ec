// What TLS ends trust and remember, shared by all workers: trust lists, pins, session tickets.
// Test: tests/unit/transport/tls_credentials_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "transport/address.h"

namespace sotto {

// SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7858 §4.2).
using SpkiPin = std::array<std::uint8_t, 32>;

// "sha256/BASE64". Error::bad_pin.
Result<SpkiPin> parse_pin(std::string_view text);
std::string pin_to_text(const SpkiPin& pin);

// Certificates of authorities and the GnuTLS credentials made of them. Immutable and thread-safe
// once loaded; loading takes milliseconds and megabytes, so it is loaded once per distinct file.
class TlsTrust {
 public:
  // An empty path means the system's store. Error::bad_certificate_file if nothing can be read.
  static Result<std::shared_ptr<const TlsTrust>> load(const std::string& ca_file);
  ~TlsTrust();
  TlsTrust(const TlsTrust&) = delete;
  TlsTrust& operator=(const TlsTrust&) = delete;

  std::size_t certificates() const { return certificates_; }
  const std::string& ca_file() const { return ca_file_; }
  // 32 octets, equal for equal certificates: for finding out whether a reload changed anything, and
  // for telling tickets of clients apart.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  friend class TlsEngine;
  TlsTrust() = default;
  struct Credentials;
  std::unique_ptr<Credentials> credentials_;
  std::size_t certificates_ = 0;
  std::string ca_file_;
  std::string fingerprint_;
};

// Who must be at the other end. Everything here is part of a ticket's key: a session is resumed
// only towards the same endpoint under the same expectations.
struct TlsPeerIdentity {
  SocketAddress endpoint;
  std::string auth_name;  // empty: the endpoint's IP must be in the certificate's SAN
  std::vector<SpkiPin>
      pins;  // empty: none; else one certificate of the chain must match one of them
  std::string ca_file;

  std::string expected() const { return auth_name.empty() ? endpoint.ip.text() : auth_name; }
  friend bool operator==(const TlsPeerIdentity&, const TlsPeerIdentity&) = default;
  friend auto operator<=>(const TlsPeerIdentity&, const TlsPeerIdentity&) = default;
};

// What a store holds for one peer: sessions as GnuTLS packs them, secrets included, oldest first.
struct PeerTickets {
  TlsPeerIdentity peer;
  std::vector<std::vector<std::uint8_t>> tickets;
  friend bool operator==(const PeerTickets&, const PeerTickets&) = default;
};

// Session tickets for resumption, one store per process; locked, off the query path. Tickets are
// used once each (RFC 8446 C.4); a few newest are kept per peer. When there are too many peers, the
// one that was given no ticket for longest is forgotten.
class TlsTicketStore {
 public:
  void put(const TlsPeerIdentity& peer, std::vector<std::uint8_t> session);
  // The newest.
  std::optional<std::vector<std::uint8_t>> take(const TlsPeerIdentity& peer);
  void forget(const TlsPeerIdentity& peer);
  std::size_t size() const;  // tickets
  // A copy of everything, for a file; the peer that was given a ticket last comes last.
  std::vector<PeerTickets> all() const;
  // Differs whenever the content does.
  std::uint64_t changes() const;

  static constexpr std::size_t tickets_per_peer_max = 4;  // what common servers send, times two
  static constexpr std::size_t peers_max = 256;           // far beyond any list of upstreams

 private:
  struct Peer {
    std::vector<std::vector<std::uint8_t>> tickets;  // oldest first
    std::uint64_t last_put = 0;                      // value of puts_ then
  };

  mutable std::mutex mutex_;
  std::uint64_t puts_ = 0;
  std::uint64_t changes_ = 0;
  std::map<TlsPeerIdentity, Peer> peers_;
};

}  // namespace sotto
