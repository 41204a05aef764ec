// What a TLS server shows and seals with: certificates, chosen by the name a client asks for, and
// the key of its session tickets. Immutable and thread-safe once loaded, shared by all workers.
// RFC 6066 §3, RFC 8446 §4.6.1, RFC 5077. See doc/decisions/0027.
// Test: tests/unit/transport/tls_server_credentials_test.cc, tls_server_test.cc.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "transport/address.h"

namespace sotto {

// PEM files that belong together.
struct CertificatePair {
  std::string certificate;  // the chain, the server's own first
  std::string key;
  friend bool operator==(const CertificatePair&, const CertificatePair&) = default;
};

// Why a file of a server cannot be used, in words that fit one line.
struct ServerFileFault {
  std::string file;
  std::string what;
  std::string advice;  // may be empty
};

// What tickets are sealed with. Servers that have the same one resume each other's sessions;
// GnuTLS derives the keys in use from it and from the time, and changes them every 18 hours.
class TlsTicketKey {
 public:
  static constexpr std::size_t octets_count = 64;
  using Octets = std::array<std::uint8_t, octets_count>;

  static std::shared_ptr<const TlsTicketKey> random();
  explicit TlsTicketKey(std::span<const std::uint8_t, octets_count> octets);
  ~TlsTicketKey();
  TlsTicketKey(const TlsTicketKey&) = delete;
  TlsTicketKey& operator=(const TlsTicketKey&) = delete;

  const Octets& octets() const { return octets_; }
  // Another key for each purpose: tickets of one cannot be opened under another.
  Octets derived(std::string_view purpose) const;

 private:
  Octets octets_;
};

// One of the certificates shown: that of the server, not those of its issuers.
struct ServerCertificate {
  std::string file;
  std::vector<std::string> dns_names;  // of its SubjectAltName, in that order, in lower case
  std::vector<IpAddress> addresses;    // likewise
  std::chrono::system_clock::time_point begins;  // before, it is not valid yet
  std::chrono::system_clock::time_point expires;
  std::string fingerprint;  // 32 octets, of the whole chain
  friend bool operator==(const ServerCertificate&, const ServerCertificate&) = default;
};

class TlsServerCredentials {
 public:
  // pairs: at least one. The first is shown to clients that ask for no name or for an unknown one.
  static tl::expected<std::shared_ptr<const TlsServerCredentials>, ServerFileFault> load(
      const std::vector<CertificatePair>& pairs, std::shared_ptr<const TlsTicketKey> ticket_key);
  ~TlsServerCredentials();
  TlsServerCredentials(const TlsServerCredentials&) = delete;
  TlsServerCredentials& operator=(const TlsServerCredentials&) = delete;

  // In the order of the pairs.
  const std::vector<ServerCertificate>& certificates() const { return certificates_; }
  const TlsTicketKey& ticket_key() const { return *ticket_key_; }

  // Of GnuTLS; only tls_*.cc know it.
  struct Credentials;
  const Credentials& gnutls() const { return *credentials_; }

 private:
  TlsServerCredentials() = default;
  std::unique_ptr<Credentials> credentials_;
  std::vector<ServerCertificate> certificates_;
  std::shared_ptr<const TlsTicketKey> ticket_key_;
};

}  // namespace sotto
