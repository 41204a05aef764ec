// The certificates that a peer showed, and whether they lead to a trusted one. Shared by the checks
// of servers (tls_verify) and of clients (tls_client_verify). RFC 5280.
// Test: tests/unit/transport/tls_verify_test.cc, tls_client_verify_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/address.h"
#include "transport/tls_gnutls.h"

namespace sotto {

// GnuTLS copies a chain into an array of this size without looking; real chains have 2 to 4.
inline constexpr std::size_t chain_certificates_max = 16;
// A name longer than this says nothing more to an operator.
inline constexpr std::size_t name_octets_logged_max = 160;

using CertificateChain = std::vector<CertificateOwner>;

// The peer's certificates, its own first; empty if it sent none, too many, or unreadable ones.
CertificateChain import_chain(gnutls_session_t session);

// What a certificate is used for (RFC 5280 §4.2.1.12); one that says nothing may be used for all.
enum class CertificatePurpose : std::uint8_t { tls_server, tls_client };

struct ChainFault {
  std::string reason;  // empty: there is none
  gnutls_alert_description_t alert = GNUTLS_A_BAD_CERTIFICATE;
};
ChainFault check_chain(const CertificateChain& chain, gnutls_x509_trust_list_t trusted,
                       CertificatePurpose purpose);

// One of a certificate's SubjectAltName, the octets as they stand there.
struct AlternativeName {
  unsigned type;  // gnutls_x509_subject_alt_name_t
  std::string octets;

  std::optional<IpAddress> address() const;  // if it is one
  std::string text() const;                  // for the log
};
std::vector<AlternativeName> alternative_names(gnutls_x509_crt_t certificate);

// ` (subject "CN=a", issuer "CN=b", valid 2026-01-01 to 2027-01-01)`, for the log.
std::string certificate_text(gnutls_x509_crt_t certificate);

// Of the certificate's public key.
std::optional<SpkiPin> pin_of(gnutls_x509_crt_t certificate);

// What a stranger sent, made fit for a log line: printable ASCII without quotes and backslashes
// stays, all else becomes \xHH; cut at octets_max octets of input, then "..." follows.
std::string escape_for_log(std::string_view octets, std::size_t octets_max);

}  // namespace sotto
