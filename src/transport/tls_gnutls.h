// GnuTLS objects with an owner, for the .cc files of TLS; headers stay free of them.
#pragma once

#include <cstddef>
#include <deque>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <memory>
#include <string>
#include <vector>

#include "transport/tls_credentials.h"
#include "transport/tls_server_credentials.h"

namespace sotto {

// TLS 1.2 and 1.3 with forward secrecy and AEAD only (RFC 9325 §4.2, RFC 8310 §5). AES-128 first:
// the fastest where the CPU has instructions for it. GnuTLS has no compression.
inline constexpr const char* tls_priority =
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-128-GCM:+CHACHA20-POLY1305:+AES-256-GCM:+AEAD"
    ":+ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
    ":+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256:+SIGN-EDDSA-ED25519"
    ":+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SHA384"
    ":+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-SHA384:+SIGN-RSA-PSS-RSAE-SHA512:+SIGN-RSA-SHA512"
    ":+SIGN-ECDSA-SECP521R1-SHA512:+SIGN-ECDSA-SHA512:+GROUP-SECP521R1"
    ":+SIGN-RSA-PSS-SHA256:+SIGN-RSA-PSS-SHA384:+SIGN-RSA-PSS-SHA512"
    ":+CTYPE-X509:+COMP-NULL:%PROFILE_MEDIUM";

// What GnuTLS allocated for the caller to free.
class GnutlsDatum {
 public:
  GnutlsDatum() = default;
  ~GnutlsDatum() { gnutls_free(datum_.data); }
  GnutlsDatum(const GnutlsDatum&) = delete;
  GnutlsDatum& operator=(const GnutlsDatum&) = delete;

  gnutls_datum_t* out() { return &datum_; }
  const unsigned char* data() const { return datum_.data; }
  std::size_t size() const { return datum_.size; }

 private:
  gnutls_datum_t datum_{};
};

struct PriorityDeleter {
  void operator()(gnutls_priority_t priority) const { gnutls_priority_deinit(priority); }
};
struct CertificateCredentialsDeleter {
  void operator()(gnutls_certificate_credentials_t credentials) const {
    gnutls_certificate_free_credentials(credentials);
  }
};
struct TrustListDeleter {
  void operator()(gnutls_x509_trust_list_t list) const { gnutls_x509_trust_list_deinit(list, 1); }
};
struct CertificateDeleter {
  void operator()(gnutls_x509_crt_t certificate) const { gnutls_x509_crt_deinit(certificate); }
};
struct PrivateKeyDeleter {
  void operator()(gnutls_x509_privkey_t key) const { gnutls_x509_privkey_deinit(key); }
};
struct AbstractKeyDeleter {
  void operator()(gnutls_privkey_t key) const { gnutls_privkey_deinit(key); }
};

template <class Handle, class Deleter>
using GnutlsOwner = std::unique_ptr<std::remove_pointer_t<Handle>, Deleter>;

using PriorityOwner = GnutlsOwner<gnutls_priority_t, PriorityDeleter>;
using CertificateCredentialsOwner =
    GnutlsOwner<gnutls_certificate_credentials_t, CertificateCredentialsDeleter>;
using TrustListOwner = GnutlsOwner<gnutls_x509_trust_list_t, TrustListDeleter>;
using CertificateOwner = GnutlsOwner<gnutls_x509_crt_t, CertificateDeleter>;
using PrivateKeyOwner = GnutlsOwner<gnutls_x509_privkey_t, PrivateKeyDeleter>;
using AbstractKeyOwner = GnutlsOwner<gnutls_privkey_t, AbstractKeyDeleter>;

// The order above counts for servers, not that of the client. OpenSSL's clients prefer AES-256 with
// SHA-384, for which CPUs have no instructions: it makes a handshake a sixth more expensive for the
// server, a resumed one a quarter (tests/bench/tls_bench). A client that sends a key of another
// group than the first that it knows of these is asked for one more, which no common client is.
inline constexpr const char* tls_server_order = ":%SERVER_PRECEDENCE";

// Parsed; that takes longer than all else in starting a session.
PriorityOwner make_tls_priority(const std::string& text);
CertificateCredentialsOwner make_certificate_credentials();
// SHA-256 of its certificates.
std::string trust_fingerprint(gnutls_x509_trust_list_t list);

struct TlsTrust::Credentials {
  PriorityOwner priority;
  CertificateCredentialsOwner
      credentials;  // empty: verification is tls_verify's, not the handshake's
  TrustListOwner list;
};

// A certificate with its issuers, and its key.
struct ShownPair {
  ShownPair() = default;
  ~ShownPair() {
    for (gnutls_pcert_st& certificate : certificates) gnutls_pcert_deinit(&certificate);
  }
  ShownPair(const ShownPair&) = delete;
  ShownPair& operator=(const ShownPair&) = delete;

  gnutls_pk_algorithm_t key_algorithm = GNUTLS_PK_UNKNOWN;
  std::vector<gnutls_pcert_st> certificates;  // the server's own first
  AbstractKeyOwner key;
};

struct TlsServerCredentials::Credentials {
  PriorityOwner priority;
  CertificateCredentialsOwner credentials;  // its certificate is chosen in each handshake
  std::deque<ShownPair> pairs;              // as TlsServerCredentials::certificates()
};

}  // namespace sotto
