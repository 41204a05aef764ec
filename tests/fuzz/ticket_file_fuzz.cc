// The file of session tickets: any octets are taken apart without harm, and what is accepted of
// them is, written and read again, the same. The input is a flag octet (1: put a right checksum at
// the end first, so that what lies before it is reached) and a file.
#include "app/ticket_file.h"
#include "base/hash.h"
#include "check.h"
#include "dns/wire.h"

namespace {

using namespace sotto;

const UtcTime now{std::chrono::milliseconds{1'700'000'000'000}};

void seal(std::vector<std::uint8_t>& file) {
  if (file.size() < 8) return;
  const std::uint64_t sum = keyed_hash(std::span(file).first(file.size() - 8), 0);
  store32(file.data() + file.size() - 8, static_cast<std::uint32_t>(sum >> 32U));
  store32(file.data() + file.size() - 4, static_cast<std::uint32_t>(sum & 0xFFFF'FFFFU));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  std::vector<std::uint8_t> file(data + 1, data + size);
  if ((data[0] & 1U) != 0) seal(file);
  const auto peers = decode_tickets(file, now);
  if (!peers) return 0;
  SOTTO_CHECK(peers->size() <= TlsTicketStore::peers_max);
  for (const PeerTickets& peer : *peers) {
    SOTTO_CHECK(!peer.tickets.empty());
    SOTTO_CHECK(peer.tickets.size() <= TlsTicketStore::tickets_per_peer_max);
  }
  const auto again = decode_tickets(encode_tickets(*peers, now), now);
  SOTTO_CHECK(again == peers);
  return 0;
}
