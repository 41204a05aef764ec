#include "transport/tls_verify.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "transport/tls_chain.h"

namespace sotto {

namespace {

constexpr std::size_t names_logged_max = 6;

std::optional<IpAddress> expected_ip(const TlsPeerIdentity& peer) {
  if (peer.auth_name.empty()) return peer.endpoint.ip;
  const auto ip = IpAddress::parse(peer.auth_name);
  if (!ip) return std::nullopt;
  return *ip;
}

// For the log.
std::string joined(const std::vector<AlternativeName>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == names_logged_max) return text + ", ...";
    text += (i > 0 ? ", " : "") + names[i].text();
  }
  return text;
}

// RFC 8310 §8.1, RFC 6125 §6.4.4: SubjectAltName only. GnuTLS falls back to the common name when
// there is no DNS name among the alternative ones, so that is checked before it is asked.
std::string check_name(gnutls_x509_crt_t certificate, const TlsPeerIdentity& peer) {
  const std::vector<AlternativeName> names = alternative_names(certificate);
  const bool has_dns = std::ranges::any_of(
      names, [](const AlternativeName& name) { return name.type == GNUTLS_SAN_DNSNAME; });
  if (const auto ip = expected_ip(peer)) {
    const auto octets = ip->octets();
    if (gnutls_x509_crt_check_ip(certificate, octets.data(), static_cast<unsigned>(octets.size()),
                                 0) != 0) {
      return {};
    }
  } else if (has_dns && gnutls_x509_crt_check_hostname2(certificate, peer.auth_name.c_str(), 0)) {
    return {};
  }
  if (names.empty())
    return "certificate has no SubjectAltName, and a common name alone is not accepted";
  return "certificate is for other names: " + joined(names);
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
std::string check_pins(const CertificateChain& chain, gnutls_x509_trust_list_t trusted,
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

std::string verify_peer(gnutls_session_t session, gnutls_x509_trust_list_t trusted,
                        const TlsPeerIdentity& peer) {
  const std::string expected =
      "; expected name " + escape_for_log(peer.expected(), name_octets_logged_max);
  const CertificateChain chain = import_chain(session);
  if (chain.empty()) return "the peer showed no readable certificate" + expected;
  std::string reason = check_chain(chain, trusted, CertificatePurpose::tls_server).reason;
  if (reason.empty()) reason = check_name(chain.front().get(), peer);
  if (reason.empty()) reason = check_pins(chain, trusted, peer);
  if (reason.empty()) return {};
  return reason + certificate_text(chain.front().get()) + expected;
}

std::optional<std::chrono::system_clock::time_point> peer_certificate_expires(
    gnutls_session_t session) {
  const CertificateChain chain = import_chain(session);
  if (chain.empty()) return std::nullopt;
  const std::time_t expires = gnutls_x509_crt_get_expiration_time(chain.front().get());
  if (expires == static_cast<std::time_t>(-1)) return std::nullopt;
  return std::chrono::system_clock::from_time_t(expires);
}

}  // namespace sotto
