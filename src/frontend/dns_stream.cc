#include "frontend/dns_stream.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "dns/constants.h"
#include "dns/wire.h"

namespace sotto {
namespace {

// Room for the responses of one turn, so that the queue grows once or twice and not with each.
constexpr std::size_t output_octets_first = 1'024;

}  // namespace

void DnsStream::receive(std::span<const std::uint8_t> plaintext) {
  if (stopped_ || plaintext.empty()) return;
  std::ranges::copy(plaintext, framer_.space(plaintext.size()).begin());
  framer_.filled(plaintext.size());
}

std::optional<StreamProtocol::Query> DnsStream::next() {
  const auto message = framer_.next();
  if (!message) return std::nullopt;
  return Query{.message = *message, .stream = 0};
}

void DnsStream::respond(std::uint32_t, std::span<const std::uint8_t> response) {
  assert(response.size() <= message_octets_max);
  const std::size_t octets = stream_length_octets + response.size();
  const auto space =
      output_.space(output_.empty() ? std::max(octets, output_octets_first) : octets);
  store16(space.data(), static_cast<std::uint16_t>(response.size()));
  std::ranges::copy(response, space.begin() + stream_length_octets);
  output_.commit(octets);
}

// Hands its memory on rather than keep it for a next time that may be long in coming.
void DnsStream::produce(OctetQueue& plaintext) {
  if (output_.empty()) return;
  OctetQueue output = std::exchange(output_, {});
  if (plaintext.empty()) {
    plaintext = std::move(output);
  } else {
    plaintext.append(output.octets());
  }
}

}  // namespace sotto
