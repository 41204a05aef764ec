#include "app/query/query_message.h"

#include <array>

#include "dns/wire.h"

namespace sotto {

namespace {

constexpr std::size_t query_octets_max = 512;  // the longest name and OPT padded fit
constexpr std::size_t option_head_octets = 4;

void put_padding(WireWriter& writer) {
  const std::size_t unpadded = writer.position() + option_head_octets;
  const std::size_t rest = unpadded % query_padding_block;
  const std::size_t count = rest == 0 ? 0 : query_padding_block - rest;
  writer.put16(edns_option::padding);
  writer.put16(static_cast<std::uint16_t>(count));
  writer.put_zeros(count);
}

void put_opt(WireWriter& writer, std::span<std::uint8_t> buffer, bool dnssec,
             QueryServer::Transport transport) {
  writer.put8(0);  // the root owns OPT
  writer.put16(rtype::opt);
  writer.put16(edns_udp_octets_max);
  writer.put32(dnssec ? edns_do : 0);
  const std::size_t length_at = writer.position();
  writer.put16(0);
  using Transport = QueryServer::Transport;
  if (transport == Transport::tcp || transport == Transport::tls) {
    writer.put16(edns_option::keepalive);
    writer.put16(0);
  }
  if (transport == Transport::tls || transport == Transport::https) put_padding(writer);
  const std::size_t length = writer.position() - length_at - 2;
  store16(buffer.data() + length_at, static_cast<std::uint16_t>(length));
}

}  // namespace

std::vector<std::uint8_t> query_message(const QueryOptions& options, std::uint16_t id,
                                        QueryServer::Transport transport) {
  std::vector<std::uint8_t> buffer(query_octets_max);
  WireWriter writer(buffer);
  std::uint16_t flags = flag::authentic_data;
  if (options.recursion_desired) flags |= flag::recursion_desired;
  if (options.checking_disabled) flags |= flag::checking_disabled;
  writer.put16(id);
  writer.put16(flags);
  writer.put16(1);
  writer.put32(0);
  writer.put16(options.edns ? 1 : 0);
  writer.put(options.qname.octets());
  writer.put16(options.qtype);
  writer.put16(options.qclass);
  if (options.edns) put_opt(writer, buffer, options.dnssec, transport);
  buffer.resize(writer.position());
  return buffer;
}

bool answers(std::span<const std::uint8_t> response, std::span<const std::uint8_t> query) {
  if (response.size() < header_octets || load16(response.data()) != load16(query.data())) {
    return false;
  }
  const std::uint16_t flags = load16(response.data() + 2);
  if ((flags & flag::response) == 0) return false;
  const std::uint16_t questions = load16(response.data() + 4);
  if (questions == 0) return (flags & flag::rcode_mask) != rcode::noerror;
  const std::size_t name = plain_name_octets(query.subspan(header_octets));
  const std::size_t end = header_octets + name + question_tail_octets;
  if (questions != 1 || response.size() < end) return false;
  const auto tail = [&](std::span<const std::uint8_t> message) {
    return load32(message.data() + header_octets + name);
  };
  return plain_name_octets(response.subspan(header_octets)) == name &&
         equal_names(response.subspan(header_octets, name), query.subspan(header_octets, name)) &&
         tail(response) == tail(query);
}

}  // namespace sotto
