// Why a TLS connection failed below the certificate, in words for an operator's log.
// Test: tests/unit/transport/tls_engine_test.cc.
#pragma once

#include <cstdint>
#include <gnutls/gnutls.h>
#include <span>
#include <string>

namespace sotto {

// error: what GnuTLS returned last.
std::string protocol_failure_reason(gnutls_session_t session, int error, bool handshaking);

// input: the first octets of a stream that does not start like TLS.
std::string not_tls_reason(std::span<const std::uint8_t> input);

// Can a TLS stream start with this octet: a handshake record or an alert (RFC 8446 §5.1)?
bool starts_like_tls(std::uint8_t octet);

}  // namespace sotto
