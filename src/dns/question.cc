#include "dns/question.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "dns/letter_case.h"
#include "dns/wire.h"

namespace sotto {
namespace {

enum KeyFlag : std::uint8_t { key_rd = 1, key_cd = 2, key_do = 4 };

constexpr std::size_t opt_octets = 11;  // root, type, class, TTL, RDLENGTH: RFC 6891 §6.1.2
constexpr std::size_t option_header_octets = 4;  // code and length

// Our longest query without padding, and the block it is padded to, fit the buffer.
static_assert(header_octets + name_octets_max + question_tail_octets + opt_octets +
                  2 * option_header_octets + query_padding_block <=
              upstream_query_octets_max);

constexpr std::uint32_t route_bits = 0xFF'FFFF;

}  // namespace

// FNV-1a: a few names chosen by the operator, nothing to be defended against.
RouteId::RouteId(std::string_view route_name) : number_(0x811C'9DC5) {
  for (const char letter : route_name) {
    number_ = (number_ ^ static_cast<std::uint8_t>(letter)) * 0x0100'0193;
  }
  number_ = (number_ ^ (number_ >> 24U)) & route_bits;
}

RouteId RouteId::from_number(std::uint32_t number) {
  RouteId id;
  id.number_ = number & route_bits;
  return id;
}

void Question::assign(std::span<const std::uint8_t> qname, std::uint16_t qtype,
                      std::uint16_t qclass, Flags flags, RouteId route) {
  assert(!qname.empty() && qname.size() <= name_octets_max);
  name_length_ = static_cast<std::uint8_t>(qname.size());
  copy_folded(octets_.data(), qname.data(), qname.size());
  std::uint8_t* const suffix = octets_.data() + name_length_;
  store16(suffix, qtype);
  store16(suffix + 2, qclass);
  suffix[4] = static_cast<std::uint8_t>((flags.recursion_desired ? key_rd : 0) |
                                        (flags.checking_disabled ? key_cd : 0) |
                                        (flags.dnssec_ok ? key_do : 0));
  suffix[5] = static_cast<std::uint8_t>(route.number() >> 16U);
  store16(suffix + 6, static_cast<std::uint16_t>(route.number() & 0xFFFFU));
}

std::uint16_t Question::type() const {
  return load16(octets_.data() + name_length_);
}

std::uint16_t Question::qclass() const {
  return load16(octets_.data() + name_length_ + 2);
}

Question::Flags Question::flags() const {
  const std::uint8_t bits = octets_[name_length_ + std::size_t{4}];
  return {.recursion_desired = (bits & key_rd) != 0,
          .checking_disabled = (bits & key_cd) != 0,
          .dnssec_ok = (bits & key_do) != 0};
}

RouteId Question::route() const {
  const std::uint8_t* const suffix = octets_.data() + name_length_;
  return RouteId::from_number(static_cast<std::uint32_t>(suffix[5] << 16U) | load16(suffix + 6));
}

std::uint32_t Question::scope() const {
  return load32(octets_.data() + name_length_ + question_tail_octets);
}

Question Question::with_scope(std::span<const std::uint8_t> qname, std::uint16_t qtype,
                              std::uint16_t qclass, std::uint32_t scope) {
  Question question(qname, qtype, qclass, {});
  store32(question.octets_.data() + question.name_length_ + question_tail_octets, scope);
  return question;
}

bool operator==(const Question& left, const Question& right) {
  return left.name_length_ == right.name_length_ &&
         std::memcmp(left.octets_.data(), right.octets_.data(), left.key().size()) == 0;
}

bool Question::matches(std::span<const std::uint8_t> message) const {
  const std::size_t end = header_octets + name_length_ + question_tail_octets;
  if (message.size() < end || load16(message.data() + 4) != 1) return false;
  // Type and class have no letter case.
  const std::uint8_t* const asked = message.data() + header_octets;
  return std::memcmp(asked + name_length_, octets_.data() + name_length_, question_tail_octets) ==
             0 &&
         equal_folded(asked, octets_.data(), name_length_);
}

std::size_t write_upstream_query(const Question& question, std::uint16_t id,
                                 const QueryShape& shape, std::span<std::uint8_t> buffer) {
  assert(buffer.size() >= upstream_query_octets_max);
  const Question::Flags flags = question.flags();
  WireWriter writer(buffer);
  writer.put16(id);
  writer.put16(static_cast<std::uint16_t>(flag::authentic_data |
                                          (flags.recursion_desired ? flag::recursion_desired : 0) |
                                          (flags.checking_disabled ? flag::checking_disabled : 0)));
  writer.put16(1);
  writer.put32(0);
  writer.put16(shape.edns ? 1 : 0);
  // The key starts as the question section is written.
  writer.put(question.key().first(question.name().size() + question_tail_octets));
  if (shape.edns) {
    const std::size_t keepalive_octets = shape.keepalive ? option_header_octets : 0;
    const std::size_t unpadded = writer.position() + opt_octets + keepalive_octets;
    std::size_t padded = unpadded;
    if (shape.padding_block > 0) {
      padded += option_header_octets;
      padded += shape.padding_block - 1 - (padded - 1) % shape.padding_block;
      padded = std::min(padded, upstream_query_octets_max);
    }
    writer.put8(0);
    writer.put16(rtype::opt);
    writer.put16(edns_udp_octets_max);
    writer.put32(flags.dnssec_ok ? edns_do : 0);
    writer.put16(static_cast<std::uint16_t>(keepalive_octets + padded - unpadded));
    if (shape.keepalive) {
      writer.put16(edns_option::keepalive);
      writer.put16(0);
    }
    if (padded > unpadded) {
      const std::size_t zeros = padded - unpadded - option_header_octets;
      writer.put16(edns_option::padding);
      writer.put16(static_cast<std::uint16_t>(zeros));
      writer.put_zeros(zeros);
    }
  }
  assert(writer.ok());
  return writer.position();
}

}  // namespace sotto
