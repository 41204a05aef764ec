// The query that sotto query sends, and whether a message answers it.
// Test: tests/unit/app/query/query_message_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "app/query/query_options.h"

namespace sotto {

// The name as it was typed. Over a stream it asks for keepalive (RFC 7828), over TLS it is padded.
std::vector<std::uint8_t> query_message(const QueryOptions& options, std::uint16_t id,
                                        QueryServer::Transport transport);

// A response with this query's ID and its question in any case (RFC 5452 §9.1). A response without
// a question answers too if its RCODE is an error: not every server echoes what it cannot read.
bool answers(std::span<const std::uint8_t> response, std::span<const std::uint8_t> query);

}  // namespace sotto
