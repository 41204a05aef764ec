#include "oracle.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "dns/constants.h"
#include "dns/name.h"
#include "dns/wire.h"

namespace sotto::sim {
namespace {

constexpr std::uint32_t ttl_max = 86'400;
constexpr std::uint32_t negative_ttl_max = 3'600;
// RFC 2181 §8: the last one counts as a large value, or 0; sotto caps it.
constexpr std::uint32_t ttls[] = {1, 2, 3, 5, 10, 30, 60, 300, 3'600, 90'000, 0, 0x8000'0001};

std::uint64_t hash_of(std::span<const std::uint8_t> octets, std::uint64_t seed) {
  std::uint64_t hash = seed + 0x9E37'79B9'7F4A'7C15U;
  for (const std::uint8_t octet : octets) hash = (hash ^ octet) * 0x0000'0100'0000'01B3U;
  hash ^= hash >> 31U;
  hash *= 0xBF58'476D'1CE4'E5B9U;
  return hash ^ (hash >> 29U);
}

Octets rdata_of(std::uint16_t type, std::uint64_t hash) {
  Octets rdata(type == rtype::a ? 4 : type == rtype::aaaa ? 16 : 9);
  for (std::size_t at = 0; at < rdata.size(); ++at) {
    rdata[at] = static_cast<std::uint8_t>(hash >> (at % 8 * 8));
  }
  if (type == rtype::txt) rdata[0] = 8;
  return rdata;
}

Record soa_of(std::uint64_t hash, std::uint32_t ttl) {
  const Octets zone = {3, 's', 'i', 'm', 0};
  Record soa{.owner = zone, .type = rtype::soa, .ttl = ttl, .rdata = {0, 0}};
  Octets numbers(20);
  store32(numbers.data(), static_cast<std::uint32_t>(hash));
  store32(numbers.data() + 16, ttls[(hash >> 7U) % 10]);  // MINIMUM
  soa.rdata.insert(soa.rdata.end(), numbers.begin(), numbers.end());
  return soa;
}

std::uint32_t capped(std::uint32_t ttl) {
  return std::min(ttl, ttl_max);
}

}  // namespace

Octets name_numbered(unsigned number) {
  const std::string text =
      "n" + std::to_string(number) + ".z" + std::to_string(number % 7) + ".sim";
  const Name name = *name_from_text(text);
  return {name.octets().begin(), name.octets().end()};
}

unsigned number_of_name(std::span<const std::uint8_t> name) {
  unsigned number = 0;
  if (name.size() < 2 || fold_case(name[1]) != 'n') return 0;
  for (std::size_t at = 2; at <= name[0]; ++at) number = number * 10 + name[at] - '0';
  return number;
}

Truth truth_of(std::span<const std::uint8_t> name, std::uint16_t type) {
  Truth truth;
  const std::uint64_t hash = hash_of(name, type);
  const std::uint32_t ttl = ttls[(hash >> 8U) % std::size(ttls)];
  const std::uint64_t kind = hash_of(name, 0) % 100;  // NXDOMAIN is said of a name, not of a type
  if (kind >= 80) {
    truth.rcode = kind < 90 ? rcode::nxdomain : rcode::noerror;
    if (kind >= 90 && kind < 95 && type == rtype::a) return truth = {}, truth;  // no SOA: not kept
    truth.authority.push_back(soa_of(hash, ttl));
    return truth;
  }
  Octets owner(name.begin(), name.end());
  if (kind >= 70) {
    Octets target = {5, 'a', 'l', 'i', 'a', 's'};
    target.insert(target.end(), name.begin(), name.end());
    truth.answers.push_back({owner, rtype::cname, ttls[(hash >> 16U) % 10], target});
    owner = target;
  }
  const std::uint64_t count = kind < 5 ? 20 : 1 + hash % 3;
  for (std::uint64_t at = 0; at < count; ++at) {
    truth.answers.push_back({owner, type, ttl, rdata_of(type, hash + at * 0x1'0001)});
  }
  return truth;
}

Message answer_to(const Message& query, Random& noise) {
  Message answer = query;
  Truth truth = truth_of(lower_case(query.name), query.type);
  answer.flags = static_cast<std::uint16_t>(flag::response | flag::recursion_available |
                                            (query.flags & flag::recursion_desired) | truth.rcode);
  answer.answers = std::move(truth.answers);
  answer.authority = std::move(truth.authority);
  // As from a cache that has held it for a while: equal within an RRset.
  const std::uint64_t part = noise.below(2) == 0 ? 0 : noise.below(100);
  for (auto* section : {&answer.answers, &answer.authority}) {
    for (Record& record : *section) {
      if (record.ttl <= ttl_max) record.ttl -= static_cast<std::uint32_t>(record.ttl * part / 100);
    }
  }
  return answer;
}

TtlBounds ttl_bounds(const Message& answer) {
  TtlBounds bounds{ttl_max, 0};
  for (const Record& record : answer.answers) {
    bounds.lowest = std::min(bounds.lowest, capped(record.ttl));
    bounds.highest = std::max(bounds.highest, capped(record.ttl));
  }
  for (const Record& record : answer.authority) {
    const std::uint32_t minimum = load32(record.rdata.data() + record.rdata.size() - 4);
    const std::uint32_t ttl = std::min({record.ttl, minimum, negative_ttl_max});
    bounds.lowest = std::min(bounds.lowest, ttl);
    bounds.highest = std::max(bounds.highest, ttl);
  }
  return bounds;
}

}  // namespace sotto::sim
