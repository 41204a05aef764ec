#include "transport/tls_reason.h"

#include "transport/tls_chain.h"

namespace sotto {

namespace {

constexpr std::uint8_t alert_record = 21;
constexpr std::uint8_t handshake_record = 22;
constexpr std::size_t octets_shown_max = 24;  // enough to recognise HTTP or SSH

std::string alert_reason(gnutls_alert_description_t alert) {
  const char* known = gnutls_alert_get_name(alert);
  const std::string name = known != nullptr ? known : "alert " + std::to_string(alert);
  switch (alert) {
    case GNUTLS_A_PROTOCOL_VERSION:
      return "the peer speaks neither TLS 1.2 nor TLS 1.3 (alert: " + name + ")";
    case GNUTLS_A_HANDSHAKE_FAILURE:
    case GNUTLS_A_INSUFFICIENT_SECURITY:
      return "the peer accepts none of our TLS versions (1.2, 1.3), ciphers or groups (alert: " +
             name + ")";
    case GNUTLS_A_NO_APPLICATION_PROTOCOL:
      return "the peer does not serve the protocol we ask for by ALPN (alert: " + name + ")";
    case GNUTLS_A_UNRECOGNIZED_NAME:
      return "the peer does not serve the name we ask for (alert: " + name + ")";
    default:
      return "the peer sent a TLS alert: " + name;
  }
}

}  // namespace

std::string protocol_failure_reason(gnutls_session_t session, int error, bool handshaking) {
  switch (error) {
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
      return alert_reason(gnutls_alert_get(session));
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_SESSION_EOF:
      return handshaking ? "the peer closed the connection during the TLS handshake"
                         : "the peer closed the connection without close_notify";
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
      return "the peer speaks neither TLS 1.2 nor TLS 1.3";
    case GNUTLS_E_REHANDSHAKE:
      return "the peer asked for renegotiation, which is not done";
    case GNUTLS_E_DECRYPTION_FAILED:
      return "a TLS record fails its integrity check";
    default:
      return std::string(handshaking ? "the TLS handshake failed: "
                                     : "the TLS connection failed: ") +
             gnutls_strerror(error);
  }
}

std::string not_tls_reason(std::span<const std::uint8_t> input) {
  const std::string text(input.begin(), input.end());
  return "the peer does not speak TLS (it began with \"" + escape_for_log(text, octets_shown_max) +
         "\")";
}

bool starts_like_tls(std::uint8_t octet) {
  return octet == handshake_record || octet == alert_record;
}

}  // namespace sotto
