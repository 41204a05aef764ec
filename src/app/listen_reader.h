// What [listen] says: addresses and what belongs to each, given as strings or tables, by the
// command line, or by sockets that a service manager opened. Test:
// tests/unit/app/listen_reader_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"

namespace sotto {

// A list of [listen].
struct ListenTransport {
  std::string_view name;  // of its row: "udp"
  std::vector<ListenAddress> Config::Listen::*addresses;
  std::string_view protocol;
  std::uint16_t port;  // the protocol's
  bool stream;
  bool encrypted;
  bool http;
};

inline constexpr std::array<ListenTransport, 4> listen_transports{{
    {"udp", &Config::Listen::udp, "DNS", 53, false, false, false},
    {"tcp", &Config::Listen::tcp, "DNS", 53, true, false, false},
    {"tls", &Config::Listen::tls, "DNS over TLS", 853, true, true, false},
    {"https", &Config::Listen::https, "DNS over HTTPS", 443, true, true, true},
}};

// By its name, or null.
const ListenTransport* find_listen_transport(std::string_view name);

inline constexpr std::string_view admin_listener = "admin";

// Before anything is set.
void begin_listen(Draft& draft);
// Sets the list of this name.
void set_listen(Draft& draft, std::string_view name, const Value& value);
void set_listen_admin(Draft& draft, Entry& entry, const Value& value);

// Of the element of a list that is a table.
void set_listener_address(Draft& draft, Entry& entry, const Value& value);
void set_listener_proxy_from(Draft& draft, Entry& entry, const Value& value);
void set_listener_client_ca(Draft& draft, Entry& entry, const Value& value);
void set_listener_path(Draft& draft, Entry& entry, const Value& value);

// As TOML; an element with nothing but its address is a string.
std::string listen_text(const std::vector<ListenAddress>& addresses);
std::string admin_text(const Config& config);

// A socket that a service manager opened.
struct InheritedAddress {
  std::string transport;  // "udp", …, or "admin"
  SocketAddress address;
};

// When everything is set: the defaults, inherited sockets instead of what they replace, and whether
// the addresses go together.
void finish_listen(Draft& draft, const std::vector<InheritedAddress>& inherited);

}  // namespace sotto
