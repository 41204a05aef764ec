#include "message.h"

#include <algorithm>

#include "dns/constants.h"
#include "dns/name.h"
#include "dns/wire.h"

namespace sotto::sim {
namespace {

Octets copy(std::span<const std::uint8_t> octets) {
  return {octets.begin(), octets.end()};
}

void read_options(std::span<const std::uint8_t> rdata, Message& message) {
  WireReader reader(rdata);
  while (reader.left() > 0) {
    const std::uint16_t code = reader.take16();
    const auto value = reader.take(reader.take16());
    if (reader.ok() && code == edns_option::extended_error && value.size() >= 2) {
      message.ede = load16(value.data());
    }
  }
}

bool read_records(WireReader& reader, std::span<const std::uint8_t> octets, unsigned count,
                  std::vector<Record>* into, Message& message) {
  while (count-- > 0) {
    const auto owner = read_name(reader, octets);
    if (!owner) return false;
    Record record;
    record.owner = copy(owner->octets());
    record.type = reader.take16();
    reader.take16();
    record.ttl = reader.take32();
    const std::size_t length = reader.take16();
    if (record.type == rtype::cname && reader.left() >= length) {
      const auto target = read_name(reader, octets);
      if (!target) return false;
      record.rdata = lower_case(target->octets());  // compression may change its spelling
    } else {
      record.rdata = copy(reader.take(length));
    }
    if (!reader.ok()) return false;
    if (record.type == rtype::opt) {
      message.edns = true;
      message.dnssec_ok = (record.ttl & edns_do) != 0;
      read_options(record.rdata, message);
    } else if (into != nullptr) {
      into->push_back(std::move(record));
    }
  }
  return true;
}

void put(Octets& out, std::span<const std::uint8_t> octets) {
  out.insert(out.end(), octets.begin(), octets.end());
}
void put16(Octets& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put_record(Octets& out, const Record& record) {
  put(out, record.owner);
  put16(out, record.type);
  put16(out, rclass::in);
  put16(out, record.ttl >> 16U);
  put16(out, record.ttl);
  put16(out, record.rdata.size());
  put(out, record.rdata);
}

}  // namespace

std::optional<Message> read_message(std::span<const std::uint8_t> octets) {
  Message message;
  WireReader reader(octets);
  message.id = reader.take16();
  message.flags = reader.take16();
  const unsigned questions = reader.take16();
  const unsigned answers = reader.take16();
  const unsigned authority = reader.take16();
  const unsigned additional = reader.take16();
  if (!reader.ok() || questions != 1) return std::nullopt;
  const auto name = read_name(reader, octets);
  if (!name) return std::nullopt;
  message.name = copy(name->octets());
  message.type = reader.take16();
  message.qclass = reader.take16();
  if (!read_records(reader, octets, answers, &message.answers, message) ||
      !read_records(reader, octets, authority, &message.authority, message) ||
      !read_records(reader, octets, additional, nullptr, message) || reader.left() > 0) {
    return std::nullopt;
  }
  return message;
}

Octets write_message(const Message& message) {
  Octets out;
  out.reserve(128);
  put16(out, message.id);
  put16(out, message.flags);
  put16(out, 1);
  put16(out, message.answers.size());
  put16(out, message.authority.size());
  put16(out, message.edns ? 1 : 0);
  put(out, message.name);
  put16(out, message.type);
  put16(out, message.qclass);
  for (const Record& record : message.answers) put_record(out, record);
  for (const Record& record : message.authority) put_record(out, record);
  if (!message.edns) return out;
  Record opt{.owner = {0}, .type = rtype::opt, .rdata = {}};
  if (message.dnssec_ok) opt.ttl = edns_do;
  if (message.keepalive_zero) opt.rdata = {0, edns_option::keepalive, 0, 2, 0, 0};
  put_record(out, opt);
  // The class field of OPT is the payload size.
  store16(out.data() + out.size() - 8 - opt.rdata.size(), edns_udp_octets_max);
  return out;
}

Octets framed(std::span<const std::uint8_t> message) {
  Octets out;
  out.reserve(message.size() + stream_length_octets);
  put16(out, message.size());
  put(out, message);
  return out;
}

Octets lower_case(std::span<const std::uint8_t> name) {
  Octets out(name.size());
  std::transform(name.begin(), name.end(), out.begin(), fold_case);
  return out;
}

}  // namespace sotto::sim
