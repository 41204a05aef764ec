#include "dns/answer.h"

#include <algorithm>
#include <array>

#include "dns/edns_options.h"
#include "dns/extended_error.h"
#include "dns/flat_name.h"
#include "dns/message_builder.h"
#include "dns/name.h"
#include "dns/name_table.h"
#include "dns/rdata_layout.h"
#include "dns/rrset_marker.h"
#include "dns/wire.h"

namespace sotto {
namespace {

constexpr std::uint16_t pointer_to_qname = 0xC000 | header_octets;
constexpr std::size_t record_fixed_octets = 10;  // type, class, TTL, RDLENGTH
constexpr std::size_t additional_section = 2;

// RFC 8767 §4: a TTL with the top bit set counts as a large one.
std::uint32_t sane_ttl(std::uint32_t ttl) {
  return std::min(ttl, std::uint32_t{0x7FFF'FFFF});
}

struct Record {
  std::uint16_t type;
  std::uint16_t rclass;
  std::uint32_t ttl;
  std::size_t rdata_begin;
  std::size_t rdata_end;
  bool owner_is_qname;
};

class Rewriter {
 public:
  Rewriter(std::span<const std::uint8_t> message, const Question& question, Answer& answer)
      : message_(message),
        question_(question),
        answer_(answer),
        out_(answer.message, message.size()),
        names_(out_, question.name(), message.size()),
        rrsets_(out_, answer.rrset_ends),
        position_(header_octets + question.name().size() + question_tail_octets) {}

  Result<void> run();

 private:
  Result<void> rewrite_section(std::size_t section, std::size_t count);
  Result<Record> read_record();
  Result<void> read_opt(const Record& record, std::size_t section);
  bool is_kept(std::uint16_t type) const;
  Result<void> write_record(const Record& record);
  Result<void> write_rdata(const Record& record);
  Result<void> write_rdata_names(const Record& record, const RdataLayout& layout);
  FlatName& owner() { return owners_[owner_index_]; }

  std::span<const std::uint8_t> message_;
  const Question& question_;
  Answer& answer_;
  MessageBuilder out_;
  NameTable names_;
  RrsetMarker rrsets_;
  std::size_t position_;
  bool owner_before_is_qname_ = false;
  std::size_t owner_index_ = 0;  // of the record in hand; the other is that of the record before
  std::array<FlatName, 2> owners_;
  FlatName rdata_name_;
};

Result<void> Rewriter::run() {
  out_.put(message_.first(header_octets));
  // The upstream's spelling is gone; the client's is written when the answer is finished for it.
  out_.put(question_.key().first(question_.name().size() + question_tail_octets));
  const std::uint16_t flags = load16(message_.data() + 2);
  answer_.rcode = flags & flag::rcode_mask;
  answer_.ttl_min = UINT32_MAX;
  for (std::size_t section = 0; section <= additional_section; ++section) {
    rrsets_.start_section(section);
    const auto done = rewrite_section(section, load16(message_.data() + 6 + 2 * section));
    if (!done) return done;
  }
  rrsets_.end_message();
  if (answer_.rrset_ends.empty()) answer_.ttl_min = 0;
  std::uint8_t* const header = out_.data();
  store16(header, 0);
  store16(header + 2, flags & (flag::truncated | flag::authentic_data | flag::rcode_mask));
  for (std::size_t section = 0; section <= additional_section; ++section) {
    store16(header + 6 + 2 * section, rrsets_.counts()[section]);
  }
  out_.finish();
  return {};
}

Result<void> Rewriter::rewrite_section(std::size_t section, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (position_ == message_.size()) return fail(Error::bad_count);
    const auto record = read_record();
    if (!record) return fail(record.error());
    if (record->type == rtype::opt) {
      if (const auto done = read_opt(*record, section); !done) return done;
    } else if (is_kept(record->type)) {
      if (const auto done = write_record(*record); !done) return done;
      owner_before_is_qname_ = record->owner_is_qname;
      owner_index_ ^= 1U;
    }
  }
  return {};
}

Result<Record> Rewriter::read_record() {
  Record record;
  std::size_t behind = position_ + 2;
  // Nearly every owner is a pointer to the question.
  record.owner_is_qname =
      behind <= message_.size() && load16(message_.data() + position_) == pointer_to_qname;
  if (!record.owner_is_qname) {
    const auto expanded = expand_name(message_, position_, owner());
    if (!expanded) return fail(expanded.error());
    behind = *expanded;
    record.owner_is_qname = equal_names(owner().view(), question_.name());
  }
  if (message_.size() - behind < record_fixed_octets) return fail(Error::short_message);
  const std::uint8_t* const fixed = message_.data() + behind;
  record.type = load16(fixed);
  record.rclass = load16(fixed + 2);
  record.ttl = load32(fixed + 4);
  record.rdata_begin = behind + record_fixed_octets;
  record.rdata_end = record.rdata_begin + load16(fixed + 8);
  if (record.rdata_end > message_.size()) return fail(Error::short_message);
  position_ = record.rdata_end;
  return record;
}

Result<void> Rewriter::read_opt(const Record& record, std::size_t section) {
  const bool owner_is_root =
      record.owner_is_qname ? question_.name().size() == 1 : owner().length == 1;
  if (section != additional_section || answer_.edns || !owner_is_root) {
    return fail(Error::bad_edns);
  }
  answer_.edns = true;
  answer_.rcode |= static_cast<std::uint16_t>((record.ttl >> 24U) << 4U);  // RFC 6891 §6.1.3
  const auto rdata = message_.subspan(record.rdata_begin, record.rdata_end - record.rdata_begin);
  // An option of the wrong size says nothing; it is no reason to lose the answer.
  const bool well_formed =
      read_options(rdata, [this](std::uint16_t code, std::span<const std::uint8_t> value) {
        if (code == edns_option::extended_error && !answer_.extended_error) {
          answer_.extended_error = read_extended_error(value);
        } else if (code == edns_option::keepalive && value.size() == 2) {
          answer_.keepalive = load16(value.data());
        }
      });
  if (!well_formed) return fail(Error::bad_edns);
  return {};
}

bool Rewriter::is_kept(std::uint16_t type) const {
  if (type != rtype::rrsig && type != rtype::nsec && type != rtype::nsec3) return true;
  return question_.flags().dnssec_ok || question_.type() == type || question_.type() == rtype::any;
}

Result<void> Rewriter::write_record(const Record& record) {
  const bool same_owner =
      record.owner_is_qname == owner_before_is_qname_ &&
      (record.owner_is_qname || (!answer_.rrset_ends.empty() &&
                                 equal_names(owner().view(), owners_[owner_index_ ^ 1U].view())));
  const bool covers = record.type == rtype::rrsig && record.rdata_end - record.rdata_begin >= 2;
  const RrsetKey key = {
      .type = record.type,
      .rclass = record.rclass,
      .covered = covers ? load16(message_.data() + record.rdata_begin) : std::uint16_t{0}};
  const std::uint32_t ttl = sane_ttl(record.ttl);
  rrsets_.start_record(key, record.owner_is_qname ? question_.name() : owner().view(), same_owner,
                       ttl);
  answer_.ttl_min = std::min(answer_.ttl_min, ttl);
  if (record.owner_is_qname && question_.name().size() > 1) {
    out_.put16(pointer_to_qname);
  } else if (record.owner_is_qname) {
    out_.put8(0);
  } else {
    names_.write(owner());
  }
  if (std::uint8_t* const fixed = out_.claim(record_fixed_octets)) {
    store16(fixed, record.type);
    store16(fixed + 2, record.rclass);
    store32(fixed + 4, ttl);
  }
  const std::size_t rdata_begin = out_.position();
  if (const auto done = write_rdata(record); !done) return done;
  if (!out_.ok()) return fail(Error::message_too_long);
  store16(out_.data() + rdata_begin - 2, static_cast<std::uint16_t>(out_.position() - rdata_begin));
  rrsets_.end_record();
  return {};
}

Result<void> Rewriter::write_rdata(const Record& record) {
  const RdataLayout layout = rdata_layout(record.type);
  if (layout.names > 0) return write_rdata_names(record, layout);
  const std::size_t octets = record.rdata_end - record.rdata_begin;
  if (record.rclass == rclass::in &&
      ((record.type == rtype::a && octets != 4) || (record.type == rtype::aaaa && octets != 16))) {
    return fail(Error::bad_rdata);
  }
  out_.put(message_.subspan(record.rdata_begin, octets));
  return {};
}

Result<void> Rewriter::write_rdata_names(const Record& record, const RdataLayout& layout) {
  WireReader reader(message_.first(record.rdata_end), record.rdata_begin);
  out_.put(reader.take(layout.fixed_octets));
  for (std::uint8_t i = 0; i < layout.strings; ++i) {
    const std::uint8_t length = reader.take8();
    out_.put8(length);
    out_.put(reader.take(length));
  }
  if (!reader.ok()) return fail(Error::bad_rdata);
  std::size_t at = reader.position();
  for (std::uint8_t i = 0; i < layout.names; ++i) {
    const auto behind = expand_name(message_.first(record.rdata_end), at, rdata_name_);
    if (!behind) {
      return fail(behind.error() == Error::short_message ? Error::bad_rdata : behind.error());
    }
    at = *behind;
    if (layout.compress) {
      names_.write(rdata_name_);
    } else {
      out_.put(rdata_name_.view());
    }
  }
  const auto tail = message_.subspan(at, record.rdata_end - at);
  if (!layout.tail_any && tail.size() != layout.tail_octets) return fail(Error::bad_rdata);
  out_.put(tail);
  return {};
}

}  // namespace

bool Answer::truncated() const {
  return message.size() >= header_octets && (load16(message.data() + 2) & flag::truncated) != 0;
}

bool Answer::authentic() const {
  return message.size() >= header_octets &&
         (load16(message.data() + 2) & flag::authentic_data) != 0;
}

bool Answer::is_failure() const {
  return rcode != rcode::noerror && rcode != rcode::nxdomain && rcode != rcode::yxdomain;
}

bool Answer::is_deliberate() const {
  if (!extended_error) return false;
  const std::uint16_t code = extended_error->code;
  return code == 1 || code == 2 || (code >= 5 && code <= 12) || (code >= 15 && code <= 18) ||
         code == 27;
}

void Answer::clear() {
  message.clear();
  rrset_ends.clear();
  rcode = 0;
  ttl_min = 0;
  edns = false;
  extended_error.reset();
  keepalive.reset();
}

Result<void> rewrite_response(std::span<const std::uint8_t> message, const Question& question,
                              Answer& answer) {
  answer.clear();
  if (message.size() < header_octets) return fail(Error::short_message);
  const std::uint16_t flags = load16(message.data() + 2);
  if ((flags & flag::response) == 0 || (flags & flag::opcode_mask) != 0) {
    return fail(Error::not_a_response);
  }
  if (load16(message.data() + 4) != 1) return fail(Error::bad_count);
  // The caller has checked it; a slip there must not become another question's answer.
  if (!question.matches(message)) return fail(Error::not_a_response);
  const auto done = Rewriter(message, question, answer).run();
  if (!done) answer.clear();
  return done;
}

}  // namespace sotto
