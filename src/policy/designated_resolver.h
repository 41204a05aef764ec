// What clients of plain DNS are told of our own encrypted listeners: the designated resolver of
// RFC 9462, in SVCB records for DNS servers (RFC 9461, RFC 9460).
// Test: tests/unit/policy/designated_resolver_test.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dns/name.h"
#include "dns/response.h"

namespace sotto {

// A reload, another certificate or a change of the network may change what is announced; clients
// should have it within minutes, and do not ask so often that a longer one would save anything.
inline constexpr std::uint32_t designation_ttl = 300;

// Of each family. With as many of both, two transports on ports of their own fit a response without
// EDNS, 512 octets, if the name is no longer than 64.
inline constexpr std::size_t designated_addresses_max = 6;

// What is announced.
struct Designation {
  using Ipv4 = std::array<std::uint8_t, 4>;
  using Ipv6 = std::array<std::uint8_t, 16>;

  // In network order; more than designated_addresses_max of a family are not announced.
  struct Addresses {
    std::vector<Ipv4> v4;
    std::vector<Ipv6> v6;
    bool empty() const { return v4.empty() && v6.empty(); }
    friend bool operator==(const Addresses&, const Addresses&) = default;
  };
  // One transport.
  struct Endpoint {
    bool is_https = false;   // DoH on HTTP/2; else DoT
    std::uint16_t port = 0;  // said if it is not the transport's own, 853 or 443
    std::string path;        // of DoH, "/dns-query"
    Addresses addresses;     // hints to where this one listens
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
  };

  Name name;                        // what the certificate proves; lower case
  std::vector<Endpoint> endpoints;  // the preferred one first
  Addresses addresses;              // of the name

  friend bool operator==(const Designation&, const Designation&) = default;
};

// Answers to the questions a designation is found by. Made when the configuration is, in wire
// format: asking it costs a comparison or two.
class DesignatedResolver {
 public:
  // A name needs five octets of room for "_dns." before it.
  static constexpr std::size_t name_octets_max = sotto::name_octets_max - 5;

  // The name: at most name_octets_max octets.
  explicit DesignatedResolver(const Designation& designation);
  DesignatedResolver(const DesignatedResolver&) = delete;  // the answers are views of the octets
  DesignatedResolver& operator=(const DesignatedResolver&) = delete;

  // What to say to a question of class IN: to SVCB of _dns.resolver.arpa (RFC 9462 §4), to SVCB of
  // _dns.NAME (§5), to A and AAAA of NAME; to other types of the latter two that there is no data.
  // Null: the question is another. Valid as long as this object; its records point into the
  // question. qname: valid, uncompressed, any case.
  const LocalAnswer* answer(std::span<const std::uint8_t> qname, std::uint16_t qtype) const {
    const std::size_t octets = qname.size();
    const std::size_t own = name_.octets().size();
    if (octets != own && octets != own + prefix_octets && octets != discovery_octets) {
      return nullptr;  // nearly all names leave here
    }
    return find(qname, qtype);
  }

 private:
  static constexpr std::size_t prefix_octets = 5;      // of "_dns."
  static constexpr std::size_t discovery_octets = 20;  // of "_dns.resolver.arpa."

  const LocalAnswer* find(std::span<const std::uint8_t> qname, std::uint16_t qtype) const;

  Name name_;
  std::vector<std::uint8_t> records_;  // SVCB, then A, then AAAA, then SOA for each place
  LocalAnswer services_;
  LocalAnswer v4_;
  LocalAnswer v6_;
  LocalAnswer both_;
  LocalAnswer no_data_;           // at the name
  LocalAnswer no_data_at_label_;  // at _dns.NAME
};

}  // namespace sotto
