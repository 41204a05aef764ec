// What sotto query is asked to do. Test: tests/unit/app/query/query_options_test.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "app/config_source.h"
#include "dns/constants.h"
#include "dns/name.h"
#include "transport/address.h"

namespace sotto {

// As typed.
struct QueryWords {
  std::vector<std::string> words;  // @SERVER, NAME, TYPE
  bool tcp = false;
  bool dnssec = false;
  bool checking_disabled = false;
  bool no_recursion = false;
  bool no_edns = false;
  bool brief = false;
  bool get = false;
  std::string qclass;
  std::string ca_file;
  std::string timeout;
};

// One row per flag; the command line, --help and the man page read it.
struct QueryFlag {
  std::string_view flag;
  std::string_view argument;  // "FILE"; empty: a switch
  bool QueryWords::*on;       // of a switch
  std::string QueryWords::*text;
  std::string_view help;
};
std::span<const QueryFlag> query_flags();

struct QueryServer {
  enum class Transport : std::uint8_t { udp, tcp, tls, https };
  Transport transport = Transport::udp;
  SocketAddress endpoint;
  std::string auth_name{};  // of TLS
  std::string host{};       // of HTTPS: whose address is to be looked up; empty: that of endpoint
  std::string authority{};  // of HTTPS, for `:authority`
  std::string path{};       // of HTTPS
};

struct QueryOptions {
  QueryServer server;
  Name qname;
  std::uint16_t qtype = rtype::a;
  std::uint16_t qclass = rclass::in;
  bool dnssec = false;
  bool checking_disabled = false;
  bool recursion_desired = true;
  bool edns = true;
  bool brief = false;
  bool get = false;  // over HTTPS: by GET instead of POST
  std::string ca_file;
  std::chrono::milliseconds timeout{5'000};
};

// The environment gives the server where none is named (the first of SOTTO_LISTEN, as seen from
// this host) and the CA file (SOTTO_CA_FILE). The error is one line.
tl::expected<QueryOptions, std::string> parse_query_words(const QueryWords& words,
                                                          const Environment& environment);

// "127.0.0.1", "[::1]:53", "tcp://…", "tls://ADDRESS[:853][#AUTH-NAME]", "cloudflare",
// "https://HOST-OR-ADDRESS[:443][/PATH][#AUTH-NAME]"; without the @.
tl::expected<QueryServer, std::string> parse_query_server(std::string_view text);

}  // namespace sotto
