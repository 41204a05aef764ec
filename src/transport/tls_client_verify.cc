#include "transport/tls_client_verify.h"

#include <algorithm>
#include <array>

#include "transport/tls_chain.h"

namespace sotto {

namespace {

// The most telling first.
constexpr std::array<unsigned, 4> identity_types = {GNUTLS_SAN_DNSNAME, GNUTLS_SAN_RFC822NAME,
                                                    GNUTLS_SAN_URI, GNUTLS_SAN_IPADDRESS};

std::string identity_of(gnutls_x509_crt_t certificate) {
  const std::vector<AlternativeName> names = alternative_names(certificate);
  for (const unsigned type : identity_types) {
    const auto found = std::ranges::find(names, type, &AlternativeName::type);
    if (found != names.end() && !found->octets.empty()) return found->text();
  }
  const auto pin = pin_of(certificate);
  return pin ? pin_to_text(*pin) : "a certificate without a name";
}

}  // namespace

ClientVerdict verify_client(gnutls_session_t session, gnutls_x509_trust_list_t trusted,
                            bool required) {
  unsigned shown = 0;
  if (gnutls_certificate_get_peers(session, &shown) == nullptr || shown == 0) {
    if (!required) return {};
    const bool tls12 = gnutls_protocol_get_version(session) == GNUTLS_TLS1_2;
    return {.refusal = "client refused: it showed no certificate",
            .alert = tls12 ? GNUTLS_A_HANDSHAKE_FAILURE : GNUTLS_A_CERTIFICATE_REQUIRED,
            .identity = {}};
  }
  const CertificateChain chain = import_chain(session);
  if (chain.empty()) {
    return {.refusal = "client refused: its certificates cannot be read",
            .alert = GNUTLS_A_BAD_CERTIFICATE,
            .identity = {}};
  }
  ChainFault fault = check_chain(chain, trusted, CertificatePurpose::tls_client);
  if (!fault.reason.empty()) {
    return {.refusal = "client refused: " + fault.reason + certificate_text(chain.front().get()),
            .alert = fault.alert,
            .identity = {}};
  }
  return {.refusal = {},
          .alert = GNUTLS_A_BAD_CERTIFICATE,
          .identity = identity_of(chain.front().get())};
}

}  // namespace sotto
