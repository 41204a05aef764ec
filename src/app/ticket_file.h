// TLS session tickets as a file, so that a restart resumes. The format is described in
// ARCHITECTURE.md, "The files of the background". No I/O here.
// Tests: tests/unit/app/ticket_file_test.cc, tests/fuzz/ticket_file_fuzz.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "cache/snapshot.h"
#include "transport/tls_credentials.h"

namespace sotto {

// A packed session holds the server's certificates, too; real ones take 2 to 8 kB.
inline constexpr std::size_t ticket_octets_max = 65'535;
// Of the full store with sessions of 16 kB.
inline constexpr std::size_t ticket_file_octets_max = std::size_t{16} << 20U;
// RFC 8446 §4.6.1: no ticket is good for longer.
inline constexpr std::chrono::hours ticket_age_max{7 * 24};

// Leaves out what is too large, and then the peers that come first as far as there is no room.
std::vector<std::uint8_t> encode_tickets(const std::vector<PeerTickets>& peers, UtcTime created);

// Error::foreign_file, other_version, future_date, damaged_file. Nothing is returned of what is
// older than ticket_age_max.
Result<std::vector<PeerTickets>> decode_tickets(std::span<const std::uint8_t> octets, UtcTime now);

}  // namespace sotto
