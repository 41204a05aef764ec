#include "transport/tls_verify.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "transport/tls_gnutls.h"

namespace sotto {

namespace {

// GnuTLS copies the list into an array of this size without looking; real chains have 2 to 4.
constexpr std::size_t chain_certificates_max = 16;
// A name longer than this says nothing more to an operator.
constexpr std::size_t name_octets_logged_max = 160;
constexpr std::size_t names_logged_max = 6;

// RFC 9325 §4.1, §4.5: RSA of at least 2048 bits, SHA-256. GnuTLS's own macro is an old-style
// cast.
constexpr unsigned verify_profile = static_cast<unsigned>(GNUTLS_PROFILE_MEDIUM) << 24U;

using Chain = std::vector<CertificateOwner>;

struct StatusText {
  unsigned bit;
  const char* text;
};

// The first that applies is reported: the most telling ones come first.
constexpr StatusText status_texts[] = {
    {GNUTLS_CERT_REVOKED, "certificate is revoked"},
    {GNUTLS_CERT_NOT_ACTIVATED, "certificate is not yet valid"},
    {GNUTLS_CERT_EXPIRED, "certificate has expired"},
    {GNUTLS_CERT_SIGNATURE_FAILURE, "a signature in the certificate chain is wrong"},
    {GNUTLS_CERT_INSECURE_ALGORITHM, "the certificate chain uses a weak key or algorithm"},
    {GNUTLS_CERT_SIGNER_NOT_CA, "the certificate's issuer is not a certificate authority"},
    {GNUTLS_CERT_SIGNER_NOT_FOUND, "certificate is from an unknown issuer"},
    {GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, "certificate violates its issuer's constraints"},
    {GNUTLS_CERT_PURPOSE_MISMATCH, "certificate is not meant for a TLS server"},
    {GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, "certificate has an unknown critical extension"},
};

std::optional<IpAddress> expected_ip(const TlsPeerIdentity& peer) {
  if (peer.auth_name.empty()) return peer.endpoint.ip;
  const auto ip = IpAddress::parse(peer.auth_name);
  if (!ip) return std::nullopt;
  return *ip;
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

std::string describe(gnutls_x509_crt_t certificate) {
  GnutlsDatum subject;
  GnutlsDatum issuer;
  std::string text = " (subject ";
  gnutls_x509_crt_get_dn3(certificate, subject.out(), 0);
  text += quoted(subject) + ", issuer ";
  gnutls_x509_crt_get_issuer_dn3(certificate, issuer.out(), 0);
  text += quoted(issuer) + ", valid " + date(gnutls_x509_crt_get_activation_time(certificate));
  return text + " to " + date(gnutls_x509_crt_get_expiration_time(certificate)) + ")";
}

// The peer's certificates, its own first; empty if it sent none, too many, or unreadable ones.
Chain import_chain(gnutls_session_t session) {
  unsigned count = 0;
  const gnutls_datum_t* encoded = gnutls_certificate_get_peers(session, &count);
  Chain chain;
  if (encoded == nullptr || count > chain_certificates_max) return chain;
  for (unsigned i = 0; i < count; ++i) {
    gnutls_x509_crt_t certificate = nullptr;
    if (gnutls_x509_crt_init(&certificate) < 0) return {};
    chain.emplace_back(certificate);
    if (gnutls_x509_crt_import(certificate, &encoded[i], GNUTLS_X509_FMT_DER) < 0) return {};
  }
  return chain;
}

std::string check_chain(const Chain& chain, gnutls_x509_trust_list_t trusted) {
  std::array<gnutls_x509_crt_t, chain_certificates_max> list{};
  std::ranges::transform(chain, list.begin(), [](const auto& owner) { return owner.get(); });
  std::string purpose = GNUTLS_KP_TLS_WWW_SERVER;
  gnutls_typed_vdata_st wanted{};
  wanted.type = GNUTLS_DT_KEY_PURPOSE_OID;
  wanted.data = reinterpret_cast<unsigned char*>(purpose.data());
  unsigned status = GNUTLS_CERT_INVALID;
  const int error =
      gnutls_x509_trust_list_verify_crt2(trusted, list.data(), static_cast<unsigned>(chain.size()),
                                         &wanted, 1, verify_profile, &status, nullptr);
  if (error < 0) {
    return std::string("certificate cannot be verified: ") + gnutls_strerror(error);
  }
  if (status == 0) return {};
  for (const StatusText& row : status_texts) {
    if ((status & row.bit) == 0) continue;
    const std::time_t now = std::chrono::system_clock::to_time_t(wall_now());
    if (row.bit == GNUTLS_CERT_EXPIRED &&
        gnutls_x509_crt_get_expiration_time(chain.front().get()) > now) {
      return "a certificate of the issuers has expired";
    }
    return row.text;
  }
  return "certificate is not trusted";
}

struct AlternativeNames {
  bool dns = false;
  bool any = false;
  std::string text;  // for the log, at most names_logged_max of them
};

std::string alternative_name_text(unsigned type, std::string_view name) {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(name.data());
  if (type == GNUTLS_SAN_IPADDRESS && name.size() == 4) {
    return IpAddress::v4(std::span<const std::uint8_t, 4>(octets, 4)).text();
  }
  if (type == GNUTLS_SAN_IPADDRESS && name.size() == 16) {
    return IpAddress::v6(std::span<const std::uint8_t, 16>(octets, 16)).text();
  }
  return escape_for_log(name, name_octets_logged_max);
}

AlternativeNames alternative_names(gnutls_x509_crt_t certificate) {
  AlternativeNames names;
  std::size_t listed = 0;
  for (unsigned i = 0;; ++i) {
    std::array<char, 1'024> name;
    std::size_t size = name.size();
    unsigned type = 0;
    const int error =
        gnutls_x509_crt_get_subject_alt_name2(certificate, i, name.data(), &size, &type, nullptr);
    if (error == GNUTLS_E_SHORT_MEMORY_BUFFER) continue;
    if (error < 0) return names;
    names.any = true;
    names.dns = names.dns || type == GNUTLS_SAN_DNSNAME;
    if (listed == names_logged_max) {
      names.text += ", ...";
    } else if (listed < names_logged_max) {
      if (listed > 0) names.text += ", ";
      names.text += alternative_name_text(type, {name.data(), size});
    }
    ++listed;
  }
}

// RFC 8310 §8.1, RFC 6125 §6.4.4: SubjectAltName only. GnuTLS falls back to the common name when
// there is no DNS name among the alternative ones, so that is checked before it is asked.
std::string check_name(gnutls_x509_crt_t certificate, const TlsPeerIdentity& peer) {
  const AlternativeNames names = alternative_names(certificate);
  if (const auto ip = expected_ip(peer)) {
    const auto octets = ip->octets();
    if (gnutls_x509_crt_check_ip(certificate, octets.data(), static_cast<unsigned>(octets.size()),
                                 0) != 0) {
      return {};
    }
  } else if (names.dns && gnutls_x509_crt_check_hostname2(certificate, peer.auth_name.c_str(), 0)) {
    return {};
  }
  if (!names.any)
    return "certificate has no SubjectAltName, and a common name alone is not accepted";
  return "certificate is for other names: " + names.text;
}

std::optional<SpkiPin> pin_of(gnutls_x509_crt_t certificate) {
  SpkiPin pin;
  std::size_t size = pin.size();
  if (gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, pin.data(), &size) < 0) {
    return std::nullopt;
  }
  return pin;
}

bool is_signed_by(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer) {
  if (gnutls_x509_crt_check_issuer(certificate, issuer) == 0) return false;
  unsigned status = GNUTLS_CERT_INVALID;
  const int error = gnutls_x509_crt_verify(
      certificate, &issuer, 1,
      GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS, &status);
  return error >= 0 && status == 0;
}

// A pin counts only for a key that signs for the certificate: anybody can append a pinned
// certificate, which is public, to a chain of their own. So the certificates reached from the first
// by verified signatures are looked at, and the trusted ones that signed them.
std::string check_pins(const Chain& chain, gnutls_x509_trust_list_t trusted,
                       const TlsPeerIdentity& peer) {
  if (peer.pins.empty()) return {};
  const auto pinned = [&peer](gnutls_x509_crt_t certificate) {
    const auto pin = pin_of(certificate);
    return pin && std::ranges::find(peer.pins, *pin) != peer.pins.end();
  };
  std::vector<gnutls_x509_crt_t> reached = {chain.front().get()};
  for (std::size_t i = 0; i < reached.size(); ++i) {  // ends: each of the chain enters reached once
    if (pinned(reached[i])) return {};
    gnutls_x509_crt_t anchor = nullptr;
    if (gnutls_x509_trust_list_get_issuer(trusted, reached[i], &anchor, 0) >= 0 &&
        is_signed_by(reached[i], anchor) && pinned(anchor)) {
      return {};
    }
    for (const CertificateOwner& candidate : chain) {
      if (std::ranges::find(reached, candidate.get()) == reached.end() &&
          is_signed_by(reached[i], candidate.get())) {
        reached.push_back(candidate.get());
      }
    }
  }
  const auto shown = pin_of(chain.front().get());
  return "no pin matches; the certificate's is " + (shown ? pin_to_text(*shown) : "unreadable");
}

}  // namespace

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

std::string verify_peer(gnutls_session_t session, gnutls_x509_trust_list_t trusted,
                        const TlsPeerIdentity& peer) {
  const std::string expected =
      "; expected name " + escape_for_log(peer.expected(), name_octets_logged_max);
  const Chain chain = import_chain(session);
  if (chain.empty()) return "the peer showed no readable certificate" + expected;
  std::string reason = check_chain(chain, trusted);
  if (reason.empty()) reason = check_name(chain.front().get(), peer);
  if (reason.empty()) reason = check_pins(chain, trusted, peer);
  if (reason.empty()) return {};
  return reason + describe(chain.front().get()) + expected;
}

std::optional<std::chrono::system_clock::time_point> peer_certificate_expires(
    gnutls_session_t session) {
  const Chain chain = import_chain(session);
  if (chain.empty()) return std::nullopt;
  const std::time_t expires = gnutls_x509_crt_get_expiration_time(chain.front().get());
  if (expires == static_cast<std::time_t>(-1)) return std::nullopt;
  return std::chrono::system_clock::from_time_t(expires);
}

}  // namespace sotto
