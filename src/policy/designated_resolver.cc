#include "policy/designated_resolver.h"

#include <algorithm>
#include <cassert>
#include <string_view>

#include "dns/constants.h"
#include "dns/wire.h"
#include "policy/special_zones.h"

namespace sotto {

namespace {

constexpr std::uint16_t type_svcb = 64;  // RFC 9460 §14.1

namespace key {  // RFC 9460 §14.3.2, RFC 9461 §5; they stand in this order (RFC 9460 §2.2)
constexpr std::uint16_t alpn = 1;
constexpr std::uint16_t port = 3;
constexpr std::uint16_t ipv4hint = 4;
constexpr std::uint16_t ipv6hint = 6;
constexpr std::uint16_t dohpath = 7;
}  // namespace key

constexpr std::uint16_t port_tls = 853;
constexpr std::uint16_t port_https = 443;

constexpr std::uint8_t dns_label[] = {4, '_', 'd', 'n', 's'};
constexpr WireName discovery_name("_dns.resolver.arpa");
constexpr WireName soa_mailbox("nobody.invalid");

// SERIAL, REFRESH, RETRY, EXPIRE and MINIMUM: nobody transfers it, and negative answers may be kept
// for as long as the others.
constexpr std::uint32_t soa_numbers[] = {1, 3'600, 1'200, 604'800, designation_ttl};

class RecordAppender {
 public:
  explicit RecordAppender(std::vector<std::uint8_t>& octets) : octets_(octets) {}

  void put8(std::size_t value) { octets_.push_back(static_cast<std::uint8_t>(value)); }
  void put16(std::size_t value) {
    put8(value >> 8U & 0xFFU);
    put8(value & 0xFFU);
  }
  void put32(std::uint32_t value) {
    put16(value >> 16U);
    put16(value & 0xFFFFU);
  }
  void put(std::span<const std::uint8_t> octets) {
    octets_.insert(octets_.end(), octets.begin(), octets.end());
  }
  void put(std::string_view text) { octets_.insert(octets_.end(), text.begin(), text.end()); }

  // What lies between begin() and end() gets its length before it.
  std::size_t begin() {
    put16(0);
    return octets_.size();
  }
  void end(std::size_t begun) {
    store16(octets_.data() + begun - 2, static_cast<std::uint16_t>(octets_.size() - begun));
  }

  // The head of a record, its length excepted. owner_offset: of its owner in the question's name.
  void put_head(std::size_t owner_offset, std::uint16_t type) {
    put_pointer(owner_offset);
    put16(type);
    put16(rclass::in);
    put32(designation_ttl);
  }
  void put_pointer(std::size_t offset) { put16(0xC000U | (header_octets + offset)); }

 private:
  std::vector<std::uint8_t>& octets_;
};

template <class Address>
std::span<const Address> announced(const std::vector<Address>& addresses) {
  return std::span(addresses).first(std::min(addresses.size(), designated_addresses_max));
}

template <class Address>
void put_hints(RecordAppender& to, std::uint16_t hint, const std::vector<Address>& addresses) {
  if (addresses.empty()) return;
  to.put16(hint);
  const std::size_t begun = to.begin();
  for (const Address& address : announced(addresses)) to.put(address);
  to.end(begun);
}

void put_service(RecordAppender& to, const Name& name, const Designation::Endpoint& endpoint,
                 std::size_t priority) {
  to.put_head(0, type_svcb);
  const std::size_t rdata = to.begin();
  to.put16(priority);
  to.put(name.octets());  // uncompressed, RFC 9460 §2.2
  const std::string_view protocol = endpoint.is_https ? "h2" : "dot";
  to.put16(key::alpn);
  const std::size_t protocols = to.begin();
  to.put8(protocol.size());
  to.put(protocol);
  to.end(protocols);
  if (endpoint.port != (endpoint.is_https ? port_https : port_tls)) {
    to.put16(key::port);
    to.put16(2);
    to.put16(endpoint.port);
  }
  put_hints(to, key::ipv4hint, endpoint.addresses.v4);
  put_hints(to, key::ipv6hint, endpoint.addresses.v6);
  if (endpoint.is_https) {
    to.put16(key::dohpath);
    const std::size_t begun = to.begin();
    to.put(endpoint.path);
    to.put(std::string_view("{?dns}"));  // RFC 9461 §5: a relative URI template with this variable
    to.end(begun);
  }
  to.end(rdata);
}

template <class Address>
std::uint16_t put_addresses(RecordAppender& to, std::uint16_t type,
                            const std::vector<Address>& addresses) {
  for (const Address& address : announced(addresses)) {
    to.put_head(0, type);
    to.put16(address.size());
    to.put(address);
  }
  return static_cast<std::uint16_t>(announced(addresses).size());
}

void put_soa(RecordAppender& to, std::size_t name_offset) {
  to.put_head(name_offset, rtype::soa);
  const std::size_t rdata = to.begin();
  to.put_pointer(name_offset);
  to.put(soa_mailbox.span());
  for (const std::uint32_t number : soa_numbers) to.put32(number);
  to.end(rdata);
}

}  // namespace

DesignatedResolver::DesignatedResolver(const Designation& designation) : name_(designation.name) {
  static_assert(sizeof dns_label == prefix_octets && discovery_name.length == discovery_octets);
  assert(name_.octets().size() <= name_octets_max);
  RecordAppender to(records_);
  std::size_t priority = 0;
  for (const Designation::Endpoint& endpoint : designation.endpoints) {
    put_service(to, name_, endpoint, ++priority);  // 0 would be an alias, RFC 9460 §2.4.1
  }
  const std::size_t v4_at = records_.size();
  const std::uint16_t v4_count = put_addresses(to, rtype::a, designation.addresses.v4);
  const std::size_t v6_at = records_.size();
  const std::uint16_t v6_count = put_addresses(to, rtype::aaaa, designation.addresses.v6);
  const std::size_t soa_at = records_.size();
  put_soa(to, 0);
  const std::size_t label_soa_at = records_.size();
  put_soa(to, prefix_octets);

  const std::span<const std::uint8_t> all(records_);
  no_data_.authority_records = all.subspan(soa_at, label_soa_at - soa_at);
  no_data_.authority_count = 1;
  no_data_at_label_.authority_records = all.subspan(label_soa_at);
  no_data_at_label_.authority_count = 1;
  const auto answers = [&](std::size_t from, std::size_t to_end, std::size_t count) {
    if (count == 0) return no_data_;
    LocalAnswer answer;
    answer.answer_records = all.subspan(from, to_end - from);
    answer.answer_count = static_cast<std::uint16_t>(count);
    return answer;
  };
  services_ = answers(0, v4_at, priority);
  v4_ = answers(v4_at, v6_at, v4_count);
  v6_ = answers(v6_at, soa_at, v6_count);
  both_ = answers(v4_at, soa_at, v4_count + v6_count + std::size_t{0});
}

const LocalAnswer* DesignatedResolver::find(std::span<const std::uint8_t> qname,
                                            std::uint16_t qtype) const {
  const bool asks_service = qtype == type_svcb || qtype == rtype::any;
  if (asks_service && equal_names(qname, discovery_name.span())) return &services_;
  if (equal_names(qname, name_.octets())) {
    switch (qtype) {
      case rtype::a:
        return &v4_;
      case rtype::aaaa:
        return &v6_;
      case rtype::any:
        return &both_;
      default:
        return &no_data_;
    }
  }
  const bool at_label =
      qname.size() == name_.octets().size() + prefix_octets &&
      equal_names(qname.subspan(prefix_octets), name_.octets()) &&
      std::equal(std::begin(dns_label), std::end(dns_label), qname.begin(),
                 [](std::uint8_t label, std::uint8_t asked) { return fold_case(asked) == label; });
  if (!at_label) return nullptr;
  return asks_service ? &services_ : &no_data_at_label_;
}

}  // namespace sotto
