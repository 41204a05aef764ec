#include "frontend/proxy_gate.h"

#include <algorithm>
#include <array>

namespace sotto {
namespace {

// How the two versions begin. No TLS record does. A DNS message on a stream would have to be 20,562
// octets long with a reserved opcode, or 3,338 and be a query with an RCODE.
constexpr std::array<std::uint8_t, 6> version_1 = {'P', 'R', 'O', 'X', 'Y', ' '};
constexpr std::array<std::uint8_t, 12> version_2 = {'\r', '\n', '\r', '\n', 0,   '\r',
                                                    '\n', 'Q',  'U',  'I',  'T', '\n'};

// Do octets begin like that, as far as they go?
bool agrees(std::span<const std::uint8_t> octets, std::span<const std::uint8_t> signature) {
  const std::size_t count = std::min(octets.size(), signature.size());
  return std::ranges::equal(octets.first(count), signature.first(count));
}

}  // namespace

ProxyGate::Verdict ProxyGate::receive(std::span<const std::uint8_t> octets) {
  // The usual case needs no copy.
  if (!held_.empty()) {
    held_.insert(held_.end(), octets.begin(), octets.end());
    return look(held_);
  }
  const Verdict verdict = look(octets);
  if (verdict == Verdict::more) held_.assign(octets.begin(), octets.end());
  return verdict;
}

ProxyGate::Verdict ProxyGate::look(std::span<const std::uint8_t> octets) {
  rest_ = octets;
  if (!required_) {
    const bool one = agrees(octets, version_1);
    const bool two = agrees(octets, version_2);
    if (!one && !two) return Verdict::passed;
    const std::size_t whole = one ? version_1.size() : version_2.size();
    return octets.size() < whole ? Verdict::more : Verdict::refused;
  }
  const ProxyHeader header = read_proxy_header(octets);
  switch (header.kind) {
    case ProxyHeader::Kind::incomplete:
      return Verdict::more;
    case ProxyHeader::Kind::malformed:
      return Verdict::refused;
    case ProxyHeader::Kind::proxied:
      client_ = header.client;
      break;
    case ProxyHeader::Kind::local:
      break;
  }
  rest_ = octets.subspan(header.octets);
  return Verdict::passed;
}

}  // namespace sotto
