#include "app/ticket_file.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/hash.h"
#include "dns/wire.h"

namespace sotto {
namespace {

constexpr std::array<std::uint8_t, 8> magic = {'s', 'o', 't', 't', 'o', 'T', '\n', 0x1A};
constexpr std::uint32_t format_version = 1;
constexpr std::size_t checksum_octets = 8;
constexpr std::size_t header_and_end = magic.size() + 4 + 8 + 2 + checksum_octets;
constexpr std::size_t name_octets_limit = 255;
constexpr std::size_t path_octets_limit = 4'095;  // PATH_MAX
constexpr std::size_t pins_limit = 255;
// The year 9999.
constexpr std::uint64_t utc_max = 253'402'300'799'999;

void append(std::vector<std::uint8_t>& to, std::span<const std::uint8_t> octets) {
  to.insert(to.end(), octets.begin(), octets.end());
}

void append_number(std::vector<std::uint8_t>& to, std::uint64_t value, std::size_t octets) {
  for (std::size_t i = octets; i-- > 0;) {
    to.push_back(static_cast<std::uint8_t>(value >> (8 * i) & 0xFFU));
  }
}

void append_text(std::vector<std::uint8_t>& to, const std::string& text) {
  append_number(to, text.size(), 2);
  to.insert(to.end(), text.begin(), text.end());
}

// Empty if it cannot be written.
std::vector<std::uint8_t> encode_peer(const PeerTickets& from) {
  const TlsPeerIdentity& peer = from.peer;
  if (peer.auth_name.size() > name_octets_limit || peer.ca_file.size() > path_octets_limit ||
      peer.pins.size() > pins_limit) {
    return {};
  }
  std::vector<std::uint8_t> out;
  const auto address = peer.endpoint.ip.octets();
  append_number(out, address.size(), 1);
  append(out, address);
  append_number(out, peer.endpoint.ip.scope(), 4);
  append_number(out, peer.endpoint.port, 2);
  append_text(out, peer.auth_name);
  append_text(out, peer.ca_file);
  append_number(out, peer.pins.size(), 1);
  for (const SpkiPin& pin : peer.pins) append(out, pin);
  std::vector<std::uint8_t> tickets;
  std::size_t count = 0;
  for (const auto& ticket : from.tickets) {
    if (ticket.empty() || ticket.size() > ticket_octets_max ||
        count == TlsTicketStore::tickets_per_peer_max) {
      continue;
    }
    append_number(tickets, ticket.size(), 2);
    append(tickets, ticket);
    ++count;
  }
  if (count == 0) return {};
  append_number(out, count, 1);
  append(out, tickets);
  return out;
}

std::string take_text(WireReader& reader) {
  const auto octets = reader.take(reader.take16());
  return {octets.begin(), octets.end()};
}

bool parse_address(WireReader& reader, IpAddress& address) {
  const std::size_t octets = reader.take8();
  const auto taken = reader.take(octets);
  const std::uint32_t scope = reader.take32();
  if (!reader.ok()) return false;
  if (octets == 4 && scope == 0) {
    address = IpAddress::v4(taken.first<4>());
    return true;
  }
  if (octets != 16) return false;
  address = IpAddress::v6(taken.first<16>(), scope);
  return !address.is_v4();  // one address, one form
}

bool parse_peer(WireReader& reader, PeerTickets& into) {
  if (!parse_address(reader, into.peer.endpoint.ip)) return false;
  into.peer.endpoint.port = reader.take16();
  into.peer.auth_name = take_text(reader);
  into.peer.ca_file = take_text(reader);
  into.peer.pins.resize(reader.take8());
  for (SpkiPin& pin : into.peer.pins) {
    const auto octets = reader.take(pin.size());
    std::copy(octets.begin(), octets.end(), pin.begin());
  }
  const std::size_t count = reader.take8();
  if (count == 0 || count > TlsTicketStore::tickets_per_peer_max) return false;
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    const auto octets = reader.take(reader.take16());
    if (octets.empty()) return false;
    into.tickets.emplace_back(octets.begin(), octets.end());
  }
  return reader.ok() && into.peer.auth_name.size() <= name_octets_limit &&
         into.peer.ca_file.size() <= path_octets_limit;
}

std::uint64_t take64(WireReader& reader) {
  const std::uint64_t high = reader.take32();
  return (high << 32U) | reader.take32();
}

}  // namespace

std::vector<std::uint8_t> encode_tickets(const std::vector<PeerTickets>& peers, UtcTime created) {
  std::vector<std::uint8_t> content;
  std::size_t count = 0;
  // From the newest; they are read back in the other order.
  for (auto peer = peers.rbegin(); peer != peers.rend(); ++peer) {
    const std::vector<std::uint8_t> encoded = encode_peer(*peer);
    if (encoded.empty()) continue;
    if (header_and_end + content.size() + encoded.size() > ticket_file_octets_max ||
        count == TlsTicketStore::peers_max) {
      break;
    }
    append(content, encoded);
    ++count;
  }
  std::vector<std::uint8_t> file(magic.begin(), magic.end());
  append_number(file, format_version, 4);
  append_number(file, static_cast<std::uint64_t>(created.time_since_epoch().count()), 8);
  append_number(file, count, 2);
  append(file, content);
  append_number(file, keyed_hash(file, 0), checksum_octets);
  return file;
}

Result<std::vector<PeerTickets>> decode_tickets(std::span<const std::uint8_t> octets, UtcTime now) {
  if (octets.size() < magic.size() || !std::equal(magic.begin(), magic.end(), octets.begin())) {
    return fail(Error::foreign_file);
  }
  WireReader reader(octets, magic.size());
  const std::uint32_t version = reader.take32();
  const std::uint64_t created = take64(reader);
  if (octets.size() < header_and_end) return fail(Error::damaged_file);
  if (version != format_version) return fail(Error::other_version);
  const auto sealed = octets.first(octets.size() - checksum_octets);
  WireReader end(octets, sealed.size());
  if (take64(end) != keyed_hash(sealed, 0) || created > utc_max) return fail(Error::damaged_file);
  const UtcTime written{std::chrono::milliseconds{created}};
  if (written > now + future_tolerance) return fail(Error::future_date);

  std::vector<PeerTickets> peers(reader.take16());
  if (peers.size() > TlsTicketStore::peers_max) return fail(Error::damaged_file);
  WireReader content(sealed, reader.position());
  for (auto peer = peers.rbegin(); peer != peers.rend(); ++peer) {
    if (!parse_peer(content, *peer)) return fail(Error::damaged_file);
  }
  if (content.left() > 0) return fail(Error::damaged_file);
  if (now - written > ticket_age_max) peers.clear();
  return peers;
}

}  // namespace sotto
