// What is asked of upstreams, and the octets that ask it.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "dns/constants.h"

namespace sotto {

// Which upstreams a question goes to: 24 bits of a hash of the route's name, the same in every
// process, so that answers saved under it are found again.
class RouteId {
 public:
  constexpr RouteId() = default;  // of the route that is there without configuration
  explicit RouteId(std::string_view route_name);
  // number: of another RouteId.
  static RouteId from_number(std::uint32_t number);

  std::uint32_t number() const { return number_; }
  friend bool operator==(const RouteId&, const RouteId&) = default;

 private:
  std::uint32_t number_ = 0;
};

// The key of coalescing and cache: two queries with equal questions have the same answer. Compare
// and hash key(): lower-case name, type, class, the flags that change answers, and the route.
class Question {
 public:
  struct Flags {
    bool recursion_desired = true;
    bool checking_disabled = false;
    bool dnssec_ok = false;
    friend bool operator==(const Flags&, const Flags&) = default;
  };

  Question() { std::memset(octets_.data(), 0, key().size()); }  // the root, type 0
  // Copies no more octets than it has.
  Question(const Question& other) { *this = other; }
  Question& operator=(const Question& other) {
    name_length_ = other.name_length_;
    std::memmove(octets_.data(), other.octets_.data(), key().size());
    return *this;
  }
  // qname: valid, uncompressed, any case.
  Question(std::span<const std::uint8_t> qname, std::uint16_t qtype, std::uint16_t qclass,
           Flags flags, RouteId route = {}) {
    assign(qname, qtype, qclass, flags, route);
  }
  void assign(std::span<const std::uint8_t> qname, std::uint16_t qtype, std::uint16_t qclass,
              Flags flags, RouteId route = {});

  // Lower case.
  std::span<const std::uint8_t> name() const { return {octets_.data(), name_length_}; }
  std::uint16_t type() const;
  std::uint16_t qclass() const;
  Flags flags() const;
  RouteId route() const;
  // Flags and route in one number, to keep beside name, type and class.
  std::uint32_t scope() const;
  static Question with_scope(std::span<const std::uint8_t> qname, std::uint16_t qtype,
                             std::uint16_t qclass, std::uint32_t scope);

  // Valid as long as this object.
  std::span<const std::uint8_t> key() const {
    return {octets_.data(), name_length_ + suffix_octets};
  }

  friend bool operator==(const Question& left, const Question& right);

  // Does the question section of this message, right after its header, ask this name (in any case),
  // type and class, and nothing else? RFC 5452 §9.1.
  bool matches(std::span<const std::uint8_t> message) const;

 private:
  static constexpr std::size_t suffix_octets = 8;  // type, class, flags, route
  std::uint8_t name_length_ = 1;
  std::array<std::uint8_t, name_octets_max + suffix_octets> octets_;
};

struct QueryShape {
  bool edns = true;  // false for a server that answers FORMERR to EDNS
  std::size_t padding_block = query_padding_block;  // 0: no padding
  bool keepalive = true;                            // ask for edns-tcp-keepalive (RFC 7828 §3.2.1)
};

inline constexpr std::size_t upstream_query_octets_max = 512;

// Writes a whole query message (no length prefix): AD=1 always (RFC 6840 §5.7), RD, CD and DO as
// the question says, our own OPT with padding last. Returns its octets; buffer holds
// upstream_query_octets_max.
std::size_t write_upstream_query(const Question& question, std::uint16_t id,
                                 const QueryShape& shape, std::span<std::uint8_t> buffer);

}  // namespace sotto
