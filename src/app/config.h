// The configuration as an immutable snapshot. Read by app/, handed to workers; nobody keeps a
// reference into it across a reload.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/networks.h"
#include "transport/address.h"
#include "transport/tls_credentials.h"

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
};

// One provider: a name, its endpoints in order of preference, and how to authenticate it.
struct UpstreamConfig {
  std::string name;  // "cloudflare", or the first URL: unique in a configuration
  std::vector<SocketAddress> endpoints;  // at least one
  std::string auth_name;                 // empty: authenticated by IP SAN
  std::vector<SpkiPin> pins;
  std::string ca_file;  // empty: the system's store
  std::chrono::milliseconds idle_timeout{9'000};
  bool padding = true;
};

inline constexpr std::string_view control_socket_auto = "auto";

struct Config {
  struct Listen {
    std::vector<ListenAddress> udp;
    std::vector<ListenAddress> tcp;
  } listen;

  unsigned workers = 1;  // resolved: "auto" is already a number

  std::vector<UpstreamConfig> upstreams;  // in order of preference
  std::chrono::milliseconds query_timeout{4'500};

  struct Policy {
    std::vector<Network> allow;  // clients that may ask; others get REFUSED with EDE 18
    bool special_use_names =
        true;               // answer localhost, invalid, onion and private reverse zones here
    bool test_name = true;  // … and test. (RFC 6761 §6.2)
  } policy;

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
