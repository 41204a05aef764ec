// A connection's octet interface: plaintext in and out of an authenticated stream, however it is
// made. Sockets and TLS implement it in link_io; tests and the simulation script it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "transport/local_end.h"
#include "transport/tls_credentials.h"
#include "upstream/backoff.h"

namespace sotto {

// Where to connect to, from where, and who must be there.
struct EndpointSpec {
  TlsPeerIdentity identity;
  std::shared_ptr<const TlsTrust> trust;
  LocalEnd local;
  friend bool operator==(const EndpointSpec&, const EndpointSpec&) = default;
};

struct LinkClosed {
  FailureKind kind = FailureKind::none;  // none: closed in order by the peer, after the handshake
  std::string reason;                    // for the log, one line
  bool by_peer = true;                   // false: we closed it …
  bool path_gone = false;  // … as the host has left the network it was on, or was suspended
};

struct LinkReady {
  bool resumed = false;
  std::string description;  // TLS version and ciphers, for the log
  // Of the server's own certificate; nothing if it is not known.
  std::optional<std::chrono::system_clock::time_point> certificate_expires = {};
};

// What a link reports. It may be told to close from inside any of these.
class LinkEvents {
 public:
  virtual void on_tcp_connected() = 0;
  // Handshake done and the peer verified.
  virtual void on_link_ready(const LinkReady& ready) = 0;
  // Room to decrypt into, at least at_least octets, and how many were; valid until the next call.
  virtual std::span<std::uint8_t> plaintext_space(std::size_t at_least) = 0;
  virtual void on_plaintext(std::size_t count) = 0;
  // The last event of a link.
  virtual void on_link_closed(const LinkClosed& closed) = 0;

 protected:
  ~LinkEvents() = default;
};

class Link {
 public:
  virtual ~Link() = default;  // closes silently; no event follows
  // Sends all of it, whole framed messages, each in a record of its own, in as few system calls as
  // possible; keeps what the socket does not take. Only between on_link_ready() and
  // on_link_closed().
  virtual void write(std::span<const std::uint8_t> plaintext) = 0;
  // The same in a record of its own, which looks as if it held so many octets more, where TLS can
  // do that (1.3).
  virtual void write_padded(std::span<const std::uint8_t> plaintext, std::size_t /*padding*/) {
    write(plaintext);
  }
  // Tells the server now that its octets came, which otherwise goes with the next write or when the
  // kernel thinks it is time. Only when write() is allowed.
  virtual void acknowledge() = 0;
  // Says goodbye (close_notify) and closes; no event follows.
  virtual void close() = 0;
};

class LinkOpener {
 public:
  // Begins to connect; every outcome is an event, none comes before this returns.
  virtual std::unique_ptr<Link> open(const EndpointSpec& endpoint, LinkEvents& events) = 0;
  // The local address that a connection would have now, as text; empty without a route.
  virtual std::string path_to(const EndpointSpec& endpoint) = 0;

 protected:
  ~LinkOpener() = default;
};

}  // namespace sotto
