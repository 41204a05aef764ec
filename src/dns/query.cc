#include "dns/query.h"

#include <algorithm>

#include "dns/edns_options.h"
#include "dns/flat_name.h"
#include "dns/name.h"
#include "dns/wire.h"

namespace sotto {
namespace {

// Type, class, TTL, RDLENGTH.
constexpr std::size_t record_fixed_octets = 10;

struct Record {
  std::uint16_t type = 0;
  std::uint16_t rclass = 0;
  std::uint32_t ttl = 0;
  std::span<const std::uint8_t> rdata;
  bool owner_is_root = false;
};

// Checks the frame of one record and moves position behind it. RDATA is not looked into: nothing of
// a query's records is ever used or forwarded.
bool read_record(std::span<const std::uint8_t> message, std::size_t& position, Record& record) {
  const auto behind = skip_name(message, position);
  if (!behind || message.size() - *behind < record_fixed_octets) return false;
  record.owner_is_root = message[position] == 0;
  const std::uint8_t* const fixed = message.data() + *behind;
  const std::size_t rdata_octets = load16(fixed + 8);
  const std::size_t rdata_begin = *behind + record_fixed_octets;
  if (message.size() - rdata_begin < rdata_octets) return false;
  record.type = load16(fixed);
  record.rclass = load16(fixed + 2);
  record.ttl = load32(fixed + 4);
  record.rdata = message.subspan(rdata_begin, rdata_octets);
  position = rdata_begin + rdata_octets;
  return true;
}

// An OPT that is malformed is nevertheless an OPT: the FORMERR carries one too (RFC 6891 §7).
Verdict read_opt(const Record& record, QueryEdns& edns) {
  const bool first = !edns.present;
  edns.present = true;
  if (!first || !record.owner_is_root) return Verdict::formerr;
  edns.udp_octets = std::max(record.rclass, plain_udp_octets_max);  // RFC 6891 §6.2.5
  edns.version = static_cast<std::uint8_t>((record.ttl >> 16U) & 0xFFU);
  edns.dnssec_ok = (record.ttl & edns_do) != 0;
  // The options of a version we do not know may have another form (RFC 6891 §6.1.3).
  if (edns.version > 0) return Verdict::badvers;
  const bool well_formed =
      read_options(record.rdata, [&edns](std::uint16_t code, std::span<const std::uint8_t> value) {
        if (code == edns_option::padding) edns.padding = true;
        // RFC 7828 §3.2.1: clients send it empty. One with a value asks for nothing; FORMERR would
        // be wrong, for over UDP the option has to be ignored whatever it holds (§3.3.1).
        if (code == edns_option::keepalive && value.empty()) edns.keepalive = true;
      });
  return well_formed ? Verdict::accept : Verdict::formerr;
}

struct Counts {
  std::uint16_t questions;
  std::uint16_t answers;
  std::uint16_t authorities;
  std::uint16_t additionals;

  bool has_records() const { return (answers | authorities | additionals) != 0; }
};

// Reads the question at position and moves behind it.
bool read_question(std::span<const std::uint8_t> message, std::size_t& position, Query& query) {
  // Nothing stands before a question that a pointer could sensibly aim at.
  const auto rest = message.subspan(position);
  const std::size_t name_octets = plain_name_octets(rest);
  if (name_octets == 0 || rest.size() - name_octets < question_tail_octets) return false;
  query.qname = rest.first(name_octets);
  query.qtype = load16(rest.data() + name_octets);
  query.qclass = load16(rest.data() + name_octets + 2);
  position += name_octets + question_tail_octets;
  return true;
}

// QDCOUNT other than 1: nothing of these questions is used (RFC 9619).
[[gnu::noinline]] bool skip_questions(std::span<const std::uint8_t> message, std::uint16_t count,
                                      std::size_t& position) {
  Query unused;
  for (std::uint16_t i = 0; i < count; ++i) {
    if (!read_question(message, position, unused)) return false;
  }
  return true;
}

// accept if all the records that the counts promise are there and well-formed. Apart, so that a
// query without any is read with less.
[[gnu::noinline]] Verdict read_records(std::span<const std::uint8_t> message, std::size_t position,
                                       Counts counts, Query& query) {
  Record record;
  for (std::uint32_t i = 0; i < std::uint32_t{counts.answers} + counts.authorities; ++i) {
    if (!read_record(message, position, record)) return Verdict::formerr;
    // RFC 6891 §6.1.1: OPT stands in the additional section only.
    if (record.type == rtype::opt) return Verdict::formerr;
  }
  Verdict verdict = Verdict::accept;
  for (std::uint16_t i = 0; i < counts.additionals; ++i) {
    if (!read_record(message, position, record)) return Verdict::formerr;
    if (record.type != rtype::opt) continue;  // TSIG and SIG(0) end here: they sign one hop
    const Verdict of_opt = read_opt(record, query.edns);
    if (of_opt == Verdict::formerr) return Verdict::formerr;
    verdict = of_opt;
  }
  return verdict;
}

// Everything behind the header.
Verdict read_sections(std::span<const std::uint8_t> message, Counts counts, Query& query) {
  std::size_t position = header_octets;
  const bool read = counts.questions == 1 ? read_question(message, position, query)
                                          : skip_questions(message, counts.questions, position);
  if (!read) return Verdict::formerr;
  return counts.has_records() ? read_records(message, position, counts, query) : Verdict::accept;
}

}  // namespace

Verdict parse_query(std::span<const std::uint8_t> message, Query& query) {
  query = Query{};
  if (message.size() < header_octets) return Verdict::drop;
  const std::uint8_t* const header = message.data();
  query.id = load16(header);
  query.flags = load16(header + 2);
  // Answering a response could start a loop between two servers.
  if ((query.flags & flag::response) != 0) return Verdict::drop;
  const Counts counts{.questions = load16(header + 4),
                      .answers = load16(header + 6),
                      .authorities = load16(header + 8),
                      .additionals = load16(header + 10)};
  const Verdict sections = read_sections(message, counts, query);
  // Of another opcode's message we know the header only (RFC 8906 §3.1.4); the question and OPT are
  // echoed if they happened to be readable.
  if ((query.flags & flag::opcode_mask) != 0) return Verdict::notimp;
  if (query.qname.empty())
    return Verdict::formerr;  // unreadable, or QDCOUNT other than 1 (RFC 9619)
  if (query.qtype == rtype::axfr || query.qtype == rtype::ixfr) return Verdict::notimp;
  return sections;
}

}  // namespace sotto
