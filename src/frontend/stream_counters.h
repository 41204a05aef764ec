// What happens to the connections of clients, by transport, in one worker.
// Test: tests/integration.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/counters.h"
#include "frontend/doh_counters.h"
#include "frontend/transport_counters.h"

namespace sotto {

enum class StreamTransport : std::uint8_t { tcp, tls, https };
inline constexpr std::size_t stream_transports = 3;
inline constexpr std::array<StreamTransport, stream_transports> all_stream_transports = {
    StreamTransport::tcp, StreamTransport::tls, StreamTransport::https};

// "tls", as it is configured, logged and counted.
constexpr std::string_view to_text(StreamTransport transport) {
  switch (transport) {
    case StreamTransport::tcp:
      return "tcp";
    case StreamTransport::tls:
      return "tls";
    case StreamTransport::https:
      return "https";
  }
  return {};
}

constexpr bool is_encrypted(StreamTransport transport) {
  return transport != StreamTransport::tcp;
}

// Why a connection could not be used, or no longer.
enum class StreamFailure : std::uint8_t {
  proxy_header,  // none where one must be, one where none may be, or a malformed one
  not_tls,       // the first octet cannot be one of TLS: plaintext or garbage
  left,          // the client went away before the handshake was done
  too_slow,      // the handshake, or the PROXY header, did not end in time
  displaced,     // others were waiting for its place before the handshake was done
  handshake,     // no common version or cipher, an alert, broken records
  certificate,   // that of the client, or its lack
  record,        // after the handshake: broken records, an alert, a handshake anew
};
inline constexpr std::size_t stream_failures = 8;

// "not_tls", as it is logged and counted.
constexpr std::string_view to_text(StreamFailure failure) {
  constexpr std::array<std::string_view, stream_failures> texts = {
      "proxy_header", "not_tls",   "left",        "too_slow",
      "displaced",    "handshake", "certificate", "record"};
  return texts[static_cast<std::size_t>(failure)];
}

struct StreamCounters {
  TransportCounters messages;
  Counter accepted;
  Counter rejected;  // beyond a limit
  Counter closed;    // of those accepted, for whatever reason; also …
  Counter closed_idle;
  Counter closed_slow;                          // … the client did not read, or …
  std::array<Counter, stream_failures> failed;  // … by StreamFailure
  Counter accept_failed;                        // out of descriptors or memory
  Counter handshakes;                           // of TLS, done; also …
  Counter resumed;                              // … with a ticket
};

// One for each transport.
class StreamCountersByTransport {
 public:
  StreamCounters& operator[](StreamTransport transport) {
    return counters_[static_cast<std::size_t>(transport)];
  }
  const StreamCounters& operator[](StreamTransport transport) const {
    return counters_[static_cast<std::size_t>(transport)];
  }

  DohCounters doh;  // of StreamTransport::https, beside its own

 private:
  std::array<StreamCounters, stream_transports> counters_;
};

}  // namespace sotto
