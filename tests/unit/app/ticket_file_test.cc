#include "app/ticket_file.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "dns/wire.h"

namespace sotto {
namespace {

using Octets = std::vector<std::uint8_t>;

const UtcTime now{std::chrono::milliseconds{1'700'000'000'000}};

PeerTickets peer(const std::string& name, const char* address, std::vector<Octets> tickets) {
  TlsPeerIdentity identity;
  identity.endpoint = *SocketAddress::parse(address);
  identity.auth_name = name;
  return {identity, std::move(tickets)};
}

std::vector<PeerTickets> some_peers() {
  PeerTickets pinned = peer("", "[2001:db8::1]:8853", {{1, 2, 3}, {4}});
  pinned.peer.pins = {SpkiPin{1}, SpkiPin{2}};
  pinned.peer.ca_file = "/etc/ca.pem";
  return {peer("dns.example", "192.0.2.1:853", {Octets(ticket_octets_max, 7)}), pinned,
          peer("link.example", "[fe80::1%7]:853", {{9}})};
}

// Puts the right checksum at the end.
Octets sealed(Octets file) {
  const std::uint64_t sum = keyed_hash(std::span(file).first(file.size() - 8), 0);
  store32(file.data() + file.size() - 8, static_cast<std::uint32_t>(sum >> 32U));
  store32(file.data() + file.size() - 4, static_cast<std::uint32_t>(sum & 0xFFFF'FFFFU));
  return file;
}

TEST(TicketFile, ReadsWhatItWrote) {
  EXPECT_EQ(decode_tickets(encode_tickets({}, now), now), std::vector<PeerTickets>{});
  EXPECT_EQ(decode_tickets(encode_tickets(some_peers(), now), now), some_peers());
}

TEST(TicketFile, IsUsedAsAWholeOrNotAtAll) {
  const Octets good = encode_tickets({peer("dns.example", "192.0.2.1:853", {{1, 2, 3}})}, now);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_tickets(std::span(good).first(size), now)) << size;
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    Octets changed = good;
    changed[at] ^= 0x10U;
    EXPECT_FALSE(decode_tickets(changed, now)) << at;
  }
}

struct FaultCase {
  const char* reason;
  std::size_t at;
  std::uint8_t value;
  Error error;
};

TEST(TicketFile, IsRefusedForAReasonBehindTheChecksumToo) {
  // magic 8, version 4, created 8, peers 2, then 1 octet: length of the address
  const Octets good = encode_tickets({peer("dns.example", "192.0.2.1:853", {{1, 2, 3}})}, now);
  const FaultCase cases[] = {
      {"another program's", 0, 'S', Error::foreign_file},
      {"version 2", 11, 2, Error::other_version},
      {"the year 10000 and later", 12, 1, Error::damaged_file},
      {"written in a year", 14, 2, Error::future_date},
      {"more peers than there are", 21, 2, Error::damaged_file},
      {"fewer peers than there are", 21, 0, Error::damaged_file},
      {"more peers than the store takes", 20, 0xFF, Error::damaged_file},
      {"an address of five octets", 22, 5, Error::damaged_file},
      {"a scope for IPv4", 30, 1, Error::damaged_file},
      {"a longer name", 34, 60, Error::damaged_file},
      {"no ticket", good.size() - 8 - 3 - 2 - 1, 0, Error::damaged_file},
      {"a ticket too many", good.size() - 8 - 3 - 2 - 1, 2, Error::damaged_file},
      {"a shorter ticket", good.size() - 8 - 3 - 1, 2, Error::damaged_file},
  };
  for (const FaultCase& each : cases) {
    Octets changed = good;
    changed[each.at] = each.value;
    const auto decoded = decode_tickets(sealed(changed), now);
    ASSERT_FALSE(decoded) << each.reason;
    EXPECT_EQ(decoded.error(), each.error) << each.reason;
  }
}

TEST(TicketFile, OldTicketsAreNoTickets) {
  const Octets file = encode_tickets(some_peers(), now);
  EXPECT_EQ(decode_tickets(file, now + ticket_age_max)->size(), 3U);
  EXPECT_EQ(decode_tickets(file, now + ticket_age_max + std::chrono::milliseconds{1})->size(), 0U);
  EXPECT_TRUE(decode_tickets(file, now - future_tolerance)) << "clocks differ a little";
}

TEST(TicketFile, WhatHasNoRoomIsLeftOut) {
  std::vector<PeerTickets> peers;
  for (std::size_t i = 0; i < TlsTicketStore::peers_max; ++i) {
    peers.push_back(peer(std::to_string(i), "192.0.2.1:853", {4, Octets(ticket_octets_max, 1)}));
  }
  peers.back().tickets.front() = Octets(ticket_octets_max + 1);
  peers.push_back(peer(std::string(256, 'x'), "192.0.2.1:853", {{1}}));
  const Octets file = encode_tickets(peers, now);
  EXPECT_LE(file.size(), ticket_file_octets_max);
  const auto decoded = decode_tickets(file, now);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->size(), 64U) << "of a quarter of a mebibyte each";
  EXPECT_EQ(decoded->back().peer.auth_name, "255") << "the newest are kept, in their order";
  EXPECT_EQ(decoded->back().tickets.size(), 3U);
  EXPECT_EQ(decoded->front().peer.auth_name, "192");
}

}  // namespace
}  // namespace sotto
