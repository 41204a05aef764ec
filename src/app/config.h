// The configuration as an immutable snapshot. Read by app/, handed to workers; nobody keeps a
// reference into it across a reload.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/name.h"
#include "policy/networks.h"
#include "transport/address.h"
#include "transport/tls_credentials.h"
#include "transport/tls_server_credentials.h"
#include "upstream/selection.h"

namespace sotto {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };

// "warning", as it is configured and logged.
constexpr std::string_view to_text(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return {};
}

constexpr std::string_view to_text(LogFormat format) {
  return format == LogFormat::json ? "json" : "text";
}

struct ListenAddress {
  SocketAddress address;
  bool is_default =
      false;  // a default address the host lacks is skipped; a configured one is an error
  std::vector<Network> proxy_from{};        // peers that send, and must send, a PROXY header
  std::string client_ca{};                  // of client certificates; empty: none are asked for
  bool client_certificate_required = true;  // false: a client may come without one
  std::string path{"/dns-query"};           // of DoH
};

// Upstreams that do not name a group are in this one.
inline constexpr std::string_view group_default = "default";

// Upstreams of equal policy, and which of them is asked.
struct GroupConfig {
  std::string name;
  Selection selection = Selection::fastest;
};

// One provider: a name, its endpoints in order of preference, how to authenticate it, and where its
// connections leave from.
struct UpstreamConfig {
  std::string name;      // "cloudflare", or the first URL: unique in a configuration
  std::string provider;  // the name it was given by, "cloudflare"; empty: by URL
  std::string group{group_default};
  std::vector<SocketAddress> endpoints;  // at least one, or none: its addresses are those of host
  std::string host;                      // to be looked up, lower case; empty: endpoints are given
  std::uint16_t port = 0;                // of the host's addresses
  std::string auth_name;                 // empty: authenticated by IP SAN
  std::vector<SpkiPin> pins;
  std::string ca_file;  // empty: the system's store
  std::chrono::milliseconds idle_timeout{9'000};
  std::chrono::milliseconds keep_warm{30'000};  // 0: no connection is opened ahead of need
  bool padding = true;
  std::vector<IpAddress> sources;  // at most one of each family; without: the routing decides
  std::string interface;           // empty: the routing decides
  std::uint32_t mark = 0;          // of packets, for the firewall and the routing; 0: none
};

inline constexpr std::string_view control_socket_auto = "auto";
inline constexpr std::string_view discovery_name_auto = "auto";

struct Config {
  struct Listen {
    std::vector<ListenAddress> udp;
    std::vector<ListenAddress> tcp;
    std::vector<ListenAddress> tls;      // DoT
    std::vector<ListenAddress> https;    // DoH
    std::optional<ListenAddress> admin;  // metrics and health over HTTP; none: switched off
  } listen;

  unsigned workers = 1;  // resolved: "auto" is already a number

  std::vector<GroupConfig> groups;        // in order of priority; each has an upstream
  std::vector<UpstreamConfig> upstreams;  // in the order they are given in; each one's group exists
  // Servers given by address that hosts of upstreams are looked up with. Empty: the upstreams that
  // have addresses are asked.
  std::vector<UpstreamConfig> bootstrap;
  std::chrono::milliseconds query_timeout{4'500};
  unsigned hedge_percent = 5;   // of queries may be asked twice because they are late; 0: none
  std::string state_directory;  // for what is learned and useful after a restart; empty: none

  struct Health {
    Name probe_name;                              // the root is asked for NS, others for A
    std::chrono::milliseconds probe_interval{0};  // 0: no probes but of upstreams that failed
  } health;

  struct Tls {
    std::string ticket_file;  // sessions for after a restart; empty: not kept
  } tls;

  struct ServerTls {
    std::vector<CertificatePair> pairs;  // of listen.tls and listen.https, chosen by SNI
    std::string ticket_key_file;         // 64 octets; empty: a key of this process's own
  } server_tls;

  struct Policy {
    std::vector<Network> allow;  // clients that may ask; others get REFUSED with EDE 18
    bool allow_verified = true;  // … unless they have a verified certificate
    bool special_use_names =
        true;               // answer localhost, invalid, onion and private reverse zones here
    bool test_name = true;  // … and test. (RFC 6761 §6.2)
  } policy;

  // What clients are told of listen.tls and listen.https.
  struct Discovery {
    std::string name{discovery_name_auto};  // "auto": the certificate's; empty: nothing is told
    std::vector<IpAddress> addresses;       // empty: those of the listeners
  } discovery;

  struct Cache {
    std::size_t size_octets = std::size_t{128} << 20U;  // all workers together; 0 keeps nothing
    std::chrono::seconds ttl_min{0};
    std::chrono::seconds ttl_max{86'400};
    std::chrono::seconds negative_ttl_max{3'600};
    std::chrono::milliseconds stale_max_age{86'400'000};  // 0: no stale answers
    unsigned prefetch_percent = 10;                       // of upstream queries; 0: no prefetch
    std::string file;                                     // empty: not kept across restarts
    std::chrono::milliseconds save_interval{900'000};     // 0: saved at a clean stop only
  } cache;

  struct Tcp {
    std::chrono::milliseconds idle_timeout{10'000};
    std::size_t connections_max = 10'000;            // per worker
    std::size_t connections_per_client_max = 1'000;  // one address may stand for many clients
  } tcp;

  struct Log {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
  } log;

  struct Control {
    // A path; "auto": chosen by how sotto was started (app/control_path.h); empty: no socket.
    std::string socket{control_socket_auto};
  } control;
};

}  // namespace sotto
