#include "transport/tls_chain.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/clock.h"
#include "transport/address.h"

namespace sotto {

namespace {

// RFC 9325 §4.1, §4.5: RSA of at least 2048 bits, SHA-256. GnuTLS's own macro is an old-style
// cast.
constexpr unsigned verify_profile = static_cast<unsigned>(GNUTLS_PROFILE_MEDIUM) << 24U;

struct StatusText {
  unsigned bit;
  const char* text;
  gnutls_alert_description_t alert;  // RFC 8446 §6.2
};

// The first that applies is reported: the most telling ones come first.
constexpr StatusText status_texts[] = {
    {GNUTLS_CERT_REVOKED, "certificate is revoked", GNUTLS_A_CERTIFICATE_REVOKED},
    {GNUTLS_CERT_NOT_ACTIVATED, "certificate is not yet valid", GNUTLS_A_BAD_CERTIFICATE},
    {GNUTLS_CERT_EXPIRED, "certificate has expired", GNUTLS_A_CERTIFICATE_EXPIRED},
    {GNUTLS_CERT_SIGNATURE_FAILURE, "a signature in the certificate chain is wrong",
     GNUTLS_A_BAD_CERTIFICATE},
    {GNUTLS_CERT_INSECURE_ALGORITHM, "the certificate chain uses a weak key or algorithm",
     GNUTLS_A_BAD_CERTIFICATE},
    {GNUTLS_CERT_SIGNER_NOT_CA, "the certificate's issuer is not a certificate authority",
     GNUTLS_A_UNKNOWN_CA},
    {GNUTLS_CERT_SIGNER_NOT_FOUND, "certificate is from an unknown issuer", GNUTLS_A_UNKNOWN_CA},
    {GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, "certificate violates its issuer's constraints",
     GNUTLS_A_BAD_CERTIFICATE},
    {GNUTLS_CERT_PURPOSE_MISMATCH, nullptr, GNUTLS_A_UNSUPPORTED_CERTIFICATE},
    {GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, "certificate has an unknown critical extension",
     GNUTLS_A_UNSUPPORTED_CERTIFICATE},
};

const char* purpose_oid(CertificatePurpose purpose) {
  return purpose == CertificatePurpose::tls_server ? GNUTLS_KP_TLS_WWW_SERVER
                                                   : GNUTLS_KP_TLS_WWW_CLIENT;
}

const char* purpose_mismatch(CertificatePurpose purpose) {
  return purpose == CertificatePurpose::tls_server ? "certificate is not meant for a TLS server"
                                                   : "certificate is not meant for a TLS client";
}

std::string date(std::time_t seconds) {
  std::tm utc{};
  char text[16];
  if (gmtime_r(&seconds, &utc) == nullptr) return "?";
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d", &utc));
}

std::string quoted(const GnutlsDatum& name) {
  std::string raw(name.size(), '\0');
  std::copy_n(name.data(), name.size(), raw.begin());
  return "\"" + escape_for_log(raw, name_octets_logged_max) + "\"";
}

}  // namespace

CertificateChain import_chain(gnutls_session_t session) {
  unsigned count = 0;
  const gnutls_datum_t* encoded = gnutls_certificate_get_peers(session, &count);
  CertificateChain chain;
  if (encoded == nullptr || count > chain_certificates_max) return chain;
  for (unsigned i = 0; i < count; ++i) {
    gnutls_x509_crt_t certificate = nullptr;
    if (gnutls_x509_crt_init(&certificate) < 0) return {};
    chain.emplace_back(certificate);
    if (gnutls_x509_crt_import(certificate, &encoded[i], GNUTLS_X509_FMT_DER) < 0) return {};
  }
  return chain;
}

ChainFault check_chain(const CertificateChain& chain, gnutls_x509_trust_list_t trusted,
                       CertificatePurpose purpose) {
  std::array<gnutls_x509_crt_t, chain_certificates_max> list{};
  std::ranges::transform(chain, list.begin(), [](const auto& owner) { return owner.get(); });
  std::string oid = purpose_oid(purpose);
  gnutls_typed_vdata_st wanted{};
  wanted.type = GNUTLS_DT_KEY_PURPOSE_OID;
  wanted.data = reinterpret_cast<unsigned char*>(oid.data());
  unsigned status = GNUTLS_CERT_INVALID;
  const int error =
      gnutls_x509_trust_list_verify_crt2(trusted, list.data(), static_cast<unsigned>(chain.size()),
                                         &wanted, 1, verify_profile, &status, nullptr);
  if (error < 0) {
    return {std::string("certificate cannot be verified: ") + gnutls_strerror(error)};
  }
  if (status == 0) return {};
  for (const StatusText& row : status_texts) {
    if ((status & row.bit) == 0) continue;
    const std::time_t now = std::chrono::system_clock::to_time_t(wall_now());
    if (row.bit == GNUTLS_CERT_EXPIRED &&
        gnutls_x509_crt_get_expiration_time(chain.front().get()) > now) {
      return {"a certificate of the issuers has expired", row.alert};
    }
    return {row.text != nullptr ? row.text : purpose_mismatch(purpose), row.alert};
  }
  return {"certificate is not trusted", GNUTLS_A_CERTIFICATE_UNKNOWN};
}

std::string certificate_text(gnutls_x509_crt_t certificate) {
  GnutlsDatum subject;
  GnutlsDatum issuer;
  std::string text = " (subject ";
  gnutls_x509_crt_get_dn3(certificate, subject.out(), 0);
  text += quoted(subject) + ", issuer ";
  gnutls_x509_crt_get_issuer_dn3(certificate, issuer.out(), 0);
  text += quoted(issuer) + ", valid " + date(gnutls_x509_crt_get_activation_time(certificate));
  return text + " to " + date(gnutls_x509_crt_get_expiration_time(certificate)) + ")";
}

std::optional<IpAddress> AlternativeName::address() const {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(octets.data());
  if (type == GNUTLS_SAN_IPADDRESS && octets.size() == 4) {
    return IpAddress::v4(std::span<const std::uint8_t, 4>(bytes, 4));
  }
  if (type == GNUTLS_SAN_IPADDRESS && octets.size() == 16) {
    return IpAddress::v6(std::span<const std::uint8_t, 16>(bytes, 16));
  }
  return std::nullopt;
}

std::string AlternativeName::text() const {
  if (const auto ip = address()) return ip->text();
  return escape_for_log(octets, name_octets_logged_max);
}

std::vector<AlternativeName> alternative_names(gnutls_x509_crt_t certificate) {
  std::vector<AlternativeName> names;
  for (unsigned i = 0;; ++i) {
    std::array<char, 1'024> name;
    std::size_t size = name.size();
    unsigned type = 0;
    const int error =
        gnutls_x509_crt_get_subject_alt_name2(certificate, i, name.data(), &size, &type, nullptr);
    if (error == GNUTLS_E_SHORT_MEMORY_BUFFER) continue;
    if (error < 0) return names;
    names.push_back({type, std::string(name.data(), size)});
  }
}

std::optional<SpkiPin> pin_of(gnutls_x509_crt_t certificate) {
  SpkiPin pin;
  std::size_t size = pin.size();
  if (gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, pin.data(), &size) < 0) {
    return std::nullopt;
  }
  return pin;
}

std::string escape_for_log(std::string_view octets, std::size_t octets_max) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char character : octets.substr(0, octets_max)) {
    const auto octet = static_cast<unsigned char>(character);
    if (octet >= 0x20 && octet < 0x7F && octet != '"' && octet != '\\') {
      text += character;
    } else {
      text += "\\x";
      text += digits[octet >> 4U];
      text += digits[octet & 0x0FU];
    }
  }
  if (octets.size() > octets_max) text += "...";
  return text;
}

}  // namespace sotto
