// Puts DNS messages together octet by octet, right or deliberately wrong.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "dns/constants.h"
#include "dns/name.h"

namespace sotto::test {

using Octets = std::vector<std::uint8_t>;

inline Octets octets(std::initializer_list<unsigned> values) {
  Octets result;
  for (const unsigned value : values) result.push_back(static_cast<std::uint8_t>(value));
  return result;
}

inline Octets octets16(unsigned value) {
  return octets({value >> 8U & 0xFFU, value & 0xFFU});
}

inline Octets octets_of(std::string_view text) {
  return Octets(text.begin(), text.end());
}

inline Octets join(std::initializer_list<Octets> parts) {
  Octets result;
  for (const Octets& part : parts) result.insert(result.end(), part.begin(), part.end());
  return result;
}

// A name in wire format from its text.
inline Octets wire(std::string_view text) {
  const Name name = name_from_text(text).value();
  return Octets(name.octets().begin(), name.octets().end());
}

inline const Octets to_qname = octets({0xC0, 0x0C});

struct Header {
  std::uint16_t id = 0x1234;
  std::uint16_t flags = 0;
  std::uint16_t questions = 1;
  std::uint16_t answers = 0;
  std::uint16_t authorities = 0;
  std::uint16_t additionals = 0;
};

inline Octets header(const Header& header) {
  return join({octets16(header.id), octets16(header.flags), octets16(header.questions),
               octets16(header.answers), octets16(header.authorities),
               octets16(header.additionals)});
}

inline Octets question(std::string_view name, std::uint16_t type, std::uint16_t qclass = 1) {
  return join({wire(name), octets16(type), octets16(qclass)});
}

// owner: wire format, compressed or not.
inline Octets record(const Octets& owner, std::uint16_t type, std::uint32_t ttl,
                     const Octets& rdata, std::uint16_t rclass = 1) {
  return join({owner, octets16(type), octets16(rclass),
               octets16(static_cast<std::uint16_t>(ttl >> 16U)),
               octets16(static_cast<std::uint16_t>(ttl & 0xFFFFU)),
               octets16(static_cast<std::uint16_t>(rdata.size())), rdata});
}

inline Octets option(std::uint16_t code, const Octets& value) {
  return join({octets16(code), octets16(static_cast<std::uint16_t>(value.size())), value});
}

// ttl: extended RCODE, version, flags.
inline Octets opt(const Octets& options = {}, std::uint32_t ttl = 0,
                  std::uint16_t udp_octets = 1'232) {
  return record({0}, rtype::opt, ttl, options, udp_octets);
}

// A record of type A behind a pointer to the question.
inline Octets address(unsigned last, std::uint32_t ttl = 300) {
  return record(to_qname, rtype::a, ttl, octets({192, 0, 2, last}));
}

}  // namespace sotto::test
