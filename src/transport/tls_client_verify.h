// May the client of a finished handshake stay, and who is it? Chain, validity and purpose of its
// certificate, the same after a full and after a resumed handshake: GnuTLS keeps the certificate in
// the ticket. RFC 5280, RFC 8446 §4.4.2.4. Test: tests/unit/transport/tls_client_verify_test.cc.
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string>

namespace sotto {

struct ClientVerdict {
  // Why it is refused, for the log; one printable line. Empty: it may stay.
  std::string refusal;
  gnutls_alert_description_t alert = GNUTLS_A_BAD_CERTIFICATE;  // to tell it with
  // Of a verified certificate: its first DNS name, else its first e-mail address, URI or IP
  // address, else the pin of its key; a common name counts for nothing. One printable line. Empty
  // if the client showed no certificate.
  std::string identity;
};

// trusted: authorities of client certificates. required: a client without one is refused.
ClientVerdict verify_client(gnutls_session_t session, gnutls_x509_trust_list_t trusted,
                            bool required);

}  // namespace sotto
