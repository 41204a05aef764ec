// What an HTTP request asks of a DoH server: a DNS message to answer, or the status and the words
// that say why there is none. And what caches may do with the response. RFC 8484 §4, §5.1,
// RFC 9110. Pure. Test: tests/unit/frontend/doh_request_test.cc, tests/fuzz/doh_request_fuzz.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "transport/http2_server.h"

namespace sotto {

inline constexpr std::string_view dns_message_media_type = "application/dns-message";
inline constexpr std::string_view doh_methods = "GET, HEAD, POST";  // for `allow`

struct DohQuery {
  std::uint16_t status = 200;
  std::span<const std::uint8_t> message;  // if 200; at least a DNS header
  std::string_view words;                 // otherwise: one line for whoever debugs the client
};

// path: of the listener, such as "/dns-query". decoded: takes the message of a GET; the result is
// valid as long as it and request are. What a client accepts is not looked at: it must be prepared
// for application/dns-message whatever it said (RFC 8484 §4.1).
DohQuery read_doh_request(const HttpRequestView& request, std::string_view path,
                          std::vector<std::uint8_t>& decoded);

// RFC 4648 §5 without padding, as RFC 8484 §6 wants it, and nothing else: no line breaks, no bits
// that would be lost. False if text is not that. Overwrites octets.
bool decode_base64url(std::string_view text, std::vector<std::uint8_t>& octets);

// For how many seconds a response may be kept: the lowest TTL of its answer section; without
// answers, and behind an alias that leads nowhere, what the SOA in the authority section says
// (RFC 8484 §5.1, RFC 2308 §5). Nothing: not at all, as for failures. response: whole, as the
// forwarder wrote it.
std::optional<std::uint32_t> freshness(std::span<const std::uint8_t> response);

}  // namespace sotto
