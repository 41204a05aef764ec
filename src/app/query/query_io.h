// One query and its answer over a blocking socket. Test: tests/unit/app/query/query_io_test.cc
// against servers on loopback.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/query/query_options.h"
#include "base/clock.h"

namespace sotto {

struct QueryResult {
  std::vector<std::uint8_t> message;
  std::string tls;                 // how the connection was secured; empty without TLS
  std::vector<std::string> notes;  // what happened on the way: "no answer, asked again"
};

// All end at the deadline. The error is one line.
tl::expected<QueryResult, std::string> query_udp(const SocketAddress& server,
                                                 std::span<const std::uint8_t> query,
                                                 Instant deadline);
tl::expected<QueryResult, std::string> query_tcp(const SocketAddress& server,
                                                 std::span<const std::uint8_t> query,
                                                 Instant deadline);
tl::expected<QueryResult, std::string> query_tls(const QueryServer& server,
                                                 const std::string& ca_file,
                                                 std::span<const std::uint8_t> query,
                                                 Instant deadline);
// get: else by POST. server.endpoint is what is connected to, whatever server.host says.
tl::expected<QueryResult, std::string> query_https(const QueryServer& server, bool get,
                                                   const std::string& ca_file,
                                                   std::span<const std::uint8_t> query,
                                                   Instant deadline);

}  // namespace sotto
