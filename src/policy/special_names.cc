#include "policy/special_names.h"

#include <algorithm>
#include <cstring>

#include "dns/name.h"
#include "dns/wire.h"
#include "policy/special_zones.h"

namespace sotto {

namespace {

// RFC 6303 §3: TTL, REFRESH, RETRY, EXPIRE and MINIMUM of an empty zone's SOA.
constexpr std::uint32_t zone_ttl = 10'800;
constexpr std::uint32_t soa_timers[] = {1, 3'600, 1'200, 604'800, zone_ttl};  // first: SERIAL
constexpr WireName soa_mailbox("nobody.invalid");
constexpr WireName localhost_name("localhost");
constexpr WireName loopback_v4_name("1.0.0.127.in-addr.arpa");

constexpr std::uint8_t loopback_v4_address[4] = {127, 0, 0, 1};
constexpr std::uint8_t loopback_v6_address[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

constexpr std::uint16_t type_ds = 43;  // RFC 4034 §5

// Does the name end with the other's octets? Label boundaries are not looked at.
bool ends_with(std::span<const std::uint8_t> name, std::span<const std::uint8_t> end) {
  if (name.size() < end.size()) return false;
  const std::uint8_t* tail = name.data() + (name.size() - end.size());
  for (std::size_t i = 0; i < end.size(); ++i) {
    if (fold_case(tail[i]) != end[i]) return false;
  }
  return true;
}

// Is the octet at target the beginning of a label?
bool is_label_start(std::span<const std::uint8_t> name, std::size_t target) {
  std::size_t position = 0;
  while (position < target) position += name[position] + std::size_t{1};  // rises at every turn
  return position == target;
}

// The place of a zone's name in a name at or below it.
struct Match {
  const SpecialZone* zone = nullptr;
  std::size_t offset = 0;
};

// The number of a canonical decimal label of at most three digits, or -1.
int label_number(std::span<const std::uint8_t> label) {
  if (label.empty() || label.size() > 3 || (label.size() > 1 && label[0] == '0')) return -1;
  int number = 0;
  for (const std::uint8_t digit : label) {
    if (digit < '0' || digit > '9') return -1;
    number = number * 10 + (digit - '0');
  }
  return number;
}

// For runs of zones: the offset of the label before parent_offset if its number is in the run.
Match match_run(std::span<const std::uint8_t> name, const SpecialZone& zone,
                std::size_t parent_offset) {
  std::size_t position = 0;
  while (position < parent_offset) {  // rises at every turn
    const std::size_t next = position + name[position] + std::size_t{1};
    if (next == parent_offset) {
      const int number = label_number(name.subspan(position + 1, name[position]));
      if (number >= zone.first && number <= zone.last) return {&zone, position};
    }
    position = next;
  }
  return {};
}

Match match_zone(std::span<const std::uint8_t> name, const SpecialZone& zone) {
  if (!ends_with(name, zone.name.span())) return {};
  const std::size_t offset = name.size() - zone.name.length;
  if (!is_label_start(name, offset)) return {};
  return zone.is_run() ? match_run(name, zone, offset) : Match{&zone, offset};
}

Match match_any(std::span<const std::uint8_t> name, std::span<const SpecialZone> zones) {
  for (const SpecialZone& zone : zones) {
    if (const Match match = match_zone(name, zone); match.zone != nullptr) return match;
  }
  return {};
}

Match match_arpa(std::span<const std::uint8_t> name) {
  static constexpr WireName in_addr("in-addr.arpa");
  static constexpr WireName ip6("ip6.arpa");
  if (ends_with(name, in_addr.span())) return match_any(name, in_addr_arpa_zones);
  if (ends_with(name, ip6.span())) return match_any(name, ip6_arpa_zones);
  return match_any(name, other_arpa_zones);
}

// The last letter tells the zones apart, see SpecialNames::may_answer().
Match find_zone(std::span<const std::uint8_t> name, bool with_test) {
  if (name.size() < 2) return {};
  switch (fold_case(name[name.size() - 2])) {
    case 'a': {
      static constexpr WireName arpa("arpa");
      return ends_with(name, arpa.span()) ? match_arpa(name) : Match{};
    }
    case 'd':
      return match_zone(name, invalid_zone);
    case 'n':
      return match_zone(name, onion_zone);
    case 't': {
      const Match match = match_zone(name, localhost_zone);
      if (match.zone != nullptr || !with_test) return match;
      return match_zone(name, test_zone);
    }
    default:
      return {};
  }
}

// Writes records whose names are pointers into the question (RFC 1035 §4.1.4).
class RecordWriter {
 public:
  RecordWriter(std::span<std::uint8_t> buffer, std::size_t zone_offset)
      : writer_(buffer), zone_(pointer(zone_offset)) {}

  std::size_t octets() const { return writer_.position(); }
  std::uint8_t records() const { return records_; }

  // Owner: the name asked for.
  void put(std::uint16_t type, std::span<const std::uint8_t> rdata) {
    put_head(pointer(0), type, rdata.size());
    writer_.put(rdata);
  }
  void put_soa() {
    put_head(zone_, rtype::soa, 2 + soa_mailbox.length + 4 * std::size(soa_timers));
    writer_.put16(zone_);
    writer_.put(soa_mailbox.span());
    for (const std::uint32_t field : soa_timers) writer_.put32(field);
  }
  void put_ns() {
    put_head(zone_, rtype::ns, 2);
    writer_.put16(zone_);
  }

 private:
  static std::uint16_t pointer(std::size_t offset) {
    return static_cast<std::uint16_t>(0xC000U | (header_octets + offset));
  }
  void put_head(std::uint16_t owner, std::uint16_t type, std::size_t rdata_octets) {
    ++records_;
    writer_.put16(owner);
    writer_.put16(type);
    writer_.put16(rclass::in);
    writer_.put32(zone_ttl);
    writer_.put16(static_cast<std::uint16_t>(rdata_octets));
  }

  WireWriter writer_;
  std::uint16_t zone_;
  std::uint8_t records_ = 0;
};

bool asks(std::uint16_t qtype, std::uint16_t type) {
  return qtype == type || qtype == rtype::any;
}

void put_answers(std::span<const std::uint8_t> name, std::uint16_t qtype, const Match& match,
                 RecordWriter& writer) {
  const ZoneKind kind = match.zone->kind;
  const bool at_top = match.offset == 0;
  if (kind == ZoneKind::never_exists) return;
  if (kind == ZoneKind::localhost) {
    if (asks(qtype, rtype::a)) writer.put(rtype::a, loopback_v4_address);
    if (asks(qtype, rtype::aaaa)) writer.put(rtype::aaaa, loopback_v6_address);
    return;
  }
  const bool loopback =
      (kind == ZoneKind::loopback_v6 && at_top) ||
      (kind == ZoneKind::loopback_v4 && equal_names(name, loopback_v4_name.span()));
  if (loopback && asks(qtype, rtype::ptr)) writer.put(rtype::ptr, localhost_name.span());
  if (at_top && asks(qtype, rtype::soa)) writer.put_soa();
  if (at_top && asks(qtype, rtype::ns)) writer.put_ns();
}

bool exists(std::span<const std::uint8_t> name, const Match& match) {
  switch (match.zone->kind) {
    case ZoneKind::localhost:
    case ZoneKind::no_data:
      return true;
    case ZoneKind::never_exists:
      return false;
    case ZoneKind::loopback_v4:
      // 1.0.0.127.in-addr.arpa and what lies between it and the zone (RFC 8020 §2).
      return match.offset == 0 || is_at_or_below(loopback_v4_name.span(), name);
    case ZoneKind::empty:
    case ZoneKind::loopback_v6:
      return match.offset == 0;
  }
  return false;
}

}  // namespace

LocalAnswer SpecialAnswer::local() const {
  if (kept_ != nullptr) return *kept_;
  LocalAnswer local;
  local.rcode = rcode_;
  local.answer_records = std::span(records_).first(answer_octets_);
  local.answer_count = answer_count_;
  local.authority_records = std::span(records_).subspan(answer_octets_, authority_octets_);
  local.authority_count = authority_count_;
  return local;
}

bool SpecialNames::answer(std::span<const std::uint8_t> qname, std::uint16_t qtype,
                          std::uint16_t qclass, SpecialAnswer& answer) const {
  if (qclass != rclass::in) return false;
  // First: the name may lie in a zone that is special otherwise.
  answer.kept_ = options_.designated ? options_.designated->answer(qname, qtype) : nullptr;
  if (answer.kept_ != nullptr) return true;
  if (!options_.special_use) return false;
  const Match match = find_zone(qname, options_.test);
  if (match.zone == nullptr) return false;
  // DS belongs to the parent zone, which is signed: its proof that there is none lets a validating
  // client believe what is answered here (RFC 8375 §4, RFC 4035 §3.1.4.1).
  const bool delegated = match.zone->kind != ZoneKind::localhost &&
                         match.zone->kind != ZoneKind::never_exists &&
                         match.zone->kind != ZoneKind::no_data;
  if (qtype == type_ds && match.offset == 0 && delegated) return false;

  RecordWriter writer(answer.records_, match.offset);
  put_answers(qname, qtype, match, writer);
  answer.answer_count_ = writer.records();
  answer.answer_octets_ = static_cast<std::uint8_t>(writer.octets());
  answer.authority_count_ = 0;
  answer.rcode_ = exists(qname, match) ? rcode::noerror : rcode::nxdomain;
  if (answer.answer_count_ == 0) {  // with a SOA clients may keep a negative answer (RFC 2308 §3)
    writer.put_soa();
    answer.authority_count_ = 1;
  }
  answer.authority_octets_ = static_cast<std::uint8_t>(writer.octets() - answer.answer_octets_);
  return true;
}

}  // namespace sotto
