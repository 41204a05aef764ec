// Is the peer of a finished handshake the expected one? Chain, name and pins, the same after a full
// and after a resumed handshake (GnuTLS's own callback is not called on resumption).
// RFC 5280, RFC 6125, RFC 7858 §4.2, RFC 8310 §8. Test: tests/unit/transport/tls_verify_test.cc.
#pragma once

#include <chrono>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <optional>
#include <string>

#include "transport/tls_credentials.h"

namespace sotto {

// Empty if the peer is who peer describes; else why not, for an operator's log.
// The certificate must lead to trusted, carry the expected name in a SubjectAltName (a common name
// counts for nothing) and, if there are pins, one key that signs for it must be pinned.
std::string verify_peer(gnutls_session_t session, gnutls_x509_trust_list_t trusted,
                        const TlsPeerIdentity& peer);

// When the peer's own certificate does.
std::optional<std::chrono::system_clock::time_point> peer_certificate_expires(
    gnutls_session_t session);

}  // namespace sotto
