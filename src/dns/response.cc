#include "dns/response.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "dns/edns_options.h"
#include "dns/wire.h"

namespace sotto {
namespace {

constexpr std::size_t opt_fixed_octets = 11;  // root, type, class, TTL, RDLENGTH: RFC 6891 §6.1.2

struct Ede {
  std::uint16_t code = 0;
  std::string_view text = {};
  bool present = false;
};
constexpr Ede no_error;

bool sends_keepalive(const Asker& asker) {
  return asker.edns.keepalive && asker.keepalive > 0;
}

// Octets of OPT without padding; 0 for a client that sent none (RFC 6891 §7).
std::size_t opt_octets(const Asker& asker, const Ede& error) {
  if (!asker.edns.present) return 0;
  std::size_t octets = opt_fixed_octets;
  if (error.present) octets += option_header_octets + 2 + error.text.size();
  if (sends_keepalive(asker)) octets += option_header_octets + 2;
  return octets;
}

// What padding adds to a message of octets octets, its option's header included (RFC 8467 §4.1).
std::size_t padding_octets(const Asker& asker, std::size_t octets) {
  if (!asker.edns.padding || asker.padding_block == 0) return 0;
  const std::size_t least = octets + option_header_octets;
  if (least > asker.octets_max) return 0;
  const std::size_t block = asker.padding_block;
  return std::min<std::size_t>((least + block - 1) / block * block, asker.octets_max) - octets;
}

// Appends OPT for a client that sent one to a message that is otherwise complete, and has room.
void write_opt(WireWriter& writer, const Asker& asker, std::uint16_t rcode, const Ede& error) {
  const std::size_t octets = opt_octets(asker, error);
  const std::size_t padding = padding_octets(asker, writer.position() + octets);
  writer.put8(0);
  writer.put16(rtype::opt);
  writer.put16(edns_udp_octets_max);
  // Our version is 0, whatever was asked. DO is copied (RFC 3225 §3).
  writer.put32((static_cast<std::uint32_t>(rcode >> 4U) << 24U) |
               (asker.edns.dnssec_ok ? edns_do : 0));
  writer.put16(static_cast<std::uint16_t>(octets - opt_fixed_octets + padding));
  if (error.present) {
    writer.put16(edns_option::extended_error);
    writer.put16(static_cast<std::uint16_t>(2 + error.text.size()));
    writer.put16(error.code);
    for (const char letter : error.text) writer.put8(static_cast<std::uint8_t>(letter));
  }
  if (sends_keepalive(asker)) {
    writer.put16(edns_option::keepalive);
    writer.put16(2);
    writer.put16(asker.keepalive);
  }
  if (padding > 0) {
    writer.put16(edns_option::padding);
    writer.put16(static_cast<std::uint16_t>(padding - option_header_octets));
    writer.put_zeros(padding - option_header_octets);
  }
}

// The RCODE's upper eight bits need an OPT to stand in.
std::uint16_t expressible(std::uint16_t rcode, const Asker& asker) {
  return rcode > flag::rcode_mask && !asker.edns.present ? rcode::servfail : rcode;
}

// 16 to 23 are about EDNS, TSIG, TKEY and cookies: our hop's affairs, a failure for the client.
std::uint16_t forwarded_rcode(std::uint16_t rcode) {
  return rcode >= rcode::badvers && rcode <= rcode::badcookie ? rcode::servfail : rcode;
}

std::uint16_t response_flags(const Asker& asker, std::uint16_t rcode) {
  constexpr std::uint16_t copied =
      flag::opcode_mask | flag::recursion_desired | flag::checking_disabled;
  return static_cast<std::uint16_t>(flag::response | flag::recursion_available |
                                    (asker.flags & copied) | (rcode & flag::rcode_mask));
}

// The last RRset's end up to which the message fits into octets_max; everything before the records
// always fits.
RrsetEnd last_fitting_end(const Answer& answer, const Asker& asker, std::size_t octets_max) {
  const auto behind =
      std::partition_point(answer.rrset_ends.begin(), answer.rrset_ends.end(),
                           [=](const RrsetEnd& end) { return end.offset <= octets_max; });
  if (behind != answer.rrset_ends.begin()) return *(behind - 1);
  const std::size_t begin = header_octets + asker.qname.size() + question_tail_octets;
  return {.offset = static_cast<std::uint32_t>(begin),
          .answers = 0,
          .authorities = 0,
          .additionals = 0};
}

// A slip must not become another question's answer: the name is as long and the type the same.
bool asks_it(std::span<const std::uint8_t> message, const Asker& asker) {
  const std::uint8_t* const type = message.data() + header_octets + asker.qname.size();
  return !asker.qname.empty() && type[-1] == 0 && load16(type) == asker.qtype;
}

// Everything but question and records.
std::size_t complete(const PlacedMessage& placed, bool truncated, const Ede& error,
                     const Asker& asker, std::span<std::uint8_t> buffer) {
  const std::uint16_t rcode = expressible(forwarded_rcode(placed.rcode), asker);
  std::uint16_t flags = response_flags(asker, rcode);
  if (truncated) flags |= flag::truncated;
  if (placed.authentic && asker.wants_authentic_data()) flags |= flag::authentic_data;
  std::uint8_t* const header = buffer.data();
  store16(header, asker.id);
  store16(header + 2, flags);
  store16(header + 4, 1);
  store16(header + 6, placed.answers);
  store16(header + 8, placed.authorities);
  store16(header + 10, static_cast<std::uint16_t>(placed.additionals + asker.edns.present));
  std::memcpy(header + header_octets, asker.qname.data(), asker.qname.size());
  if (!asker.edns.present) return placed.octets;
  WireWriter writer(buffer.first(asker.octets_max), placed.octets);
  write_opt(writer, asker, rcode, error);
  assert(writer.ok());
  return writer.position();
}

}  // namespace

std::uint16_t response_octets_max(const QueryEdns& edns, bool datagram) {
  if (!datagram) return static_cast<std::uint16_t>(message_octets_max);
  if (!edns.present) return plain_udp_octets_max;
  return std::clamp(edns.udp_octets, plain_udp_octets_max, edns_udp_octets_max);
}

std::size_t write_response(const Answer& answer, const Asker& asker,
                           std::span<std::uint8_t> buffer) {
  const std::size_t question_end = header_octets + asker.qname.size() + question_tail_octets;
  assert(asker.octets_max >= plain_udp_octets_max && buffer.size() >= asker.octets_max);
  assert(answer.message.size() >= question_end && asks_it(answer.message, asker));

  Ede error;
  if (answer.extended_error) {
    error = {answer.extended_error->code, answer.extended_error->text, true};
  }
  const std::uint8_t* const counts = answer.message.data() + 6;
  PlacedMessage placed{.octets = answer.message.size(),
                       .rcode = answer.rcode,
                       .authentic = answer.authentic(),
                       .answers = load16(counts),
                       .authorities = load16(counts + 2),
                       .additionals = load16(counts + 4)};
  bool truncated = answer.truncated();
  const std::size_t records_max = asker.octets_max - opt_octets(asker, error);
  if (placed.octets > records_max) {
    const RrsetEnd end = last_fitting_end(answer, asker, records_max);
    // RFC 2181 §9: what was asked for and what proves it are required; the additional section is a
    // favour, and is cut silently.
    if (end.answers < placed.answers || end.authorities < placed.authorities) {
      truncated = true;
    }
    placed.octets = end.offset;
    placed.answers = end.answers;
    placed.authorities = end.authorities;
    placed.additionals = end.additionals;
  }
  std::memcpy(buffer.data() + header_octets, answer.message.data() + header_octets,
              placed.octets - header_octets);
  return complete(placed, truncated, error, asker, buffer);
}

std::size_t placed_octets_max(const Asker& asker) {
  return asker.octets_max - opt_octets(asker, no_error);
}

std::size_t complete_response(const PlacedMessage& placed, const Asker& asker,
                              std::span<std::uint8_t> buffer) {
  assert(placed.octets <= asker.octets_max && asker.octets_max <= buffer.size());
  assert(asks_it(buffer, asker));
  return complete(placed, false, no_error, asker, buffer);
}

std::size_t write_local_response(const LocalAnswer& local, const Asker& asker,
                                 std::span<std::uint8_t> buffer) {
  assert(asker.octets_max >= plain_udp_octets_max && buffer.size() >= asker.octets_max);
  assert(!asker.qname.empty() || (local.answer_count == 0 && local.authority_count == 0));
  const Ede error = {.code = local.ede_code,
                     .text = local.ede_text.substr(0, ede_text_octets_max),
                     .present = local.ede_code != 0 || !local.ede_text.empty()};
  const std::uint16_t rcode = expressible(local.rcode, asker);
  const std::size_t question_octets =
      asker.qname.empty() ? 0 : asker.qname.size() + question_tail_octets;
  const bool fits = header_octets + question_octets + local.answer_records.size() +
                        local.authority_records.size() + opt_octets(asker, error) <=
                    asker.octets_max;
  WireWriter writer(buffer);
  writer.put16(asker.id);
  writer.put16(
      static_cast<std::uint16_t>(response_flags(asker, rcode) | (fits ? 0 : flag::truncated)));
  writer.put16(asker.qname.empty() ? 0 : 1);
  writer.put16(fits ? local.answer_count : 0);
  writer.put16(fits ? local.authority_count : 0);
  writer.put16(asker.edns.present ? 1 : 0);
  if (!asker.qname.empty()) {
    writer.put(asker.qname);
    writer.put16(asker.qtype);
    writer.put16(asker.qclass);
  }
  if (fits) {
    writer.put(local.answer_records);
    writer.put(local.authority_records);
  }
  if (asker.edns.present) write_opt(writer, asker, rcode, error);
  assert(writer.ok());
  return writer.position();
}

}  // namespace sotto
