#include "policy/networks.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>

namespace sotto {

namespace {

using Octets = std::array<std::uint8_t, 16>;

Octets leading_ones(std::size_t bits) {
  Octets ones{};
  for (std::size_t at = 0; at < bits; ++at) {
    ones[at / 8] = static_cast<std::uint8_t>(ones[at / 8] | (0x80U >> at % 8));
  }
  return ones;
}

Result<std::uint8_t> parse_bits(std::string_view text, std::uint8_t bits_max) {
  std::uint8_t bits = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, bits);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end || bits > bits_max) {
    return fail(Error::bad_address);
  }
  return bits;
}

// ::ffff:0:0/96. Addresses of this form are treated as IPv4 everywhere, so their prefixes are too.
constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::uint8_t mapped_bits = 96;

}  // namespace

Result<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  char terminated[INET6_ADDRSTRLEN] = {};
  if (address.size() >= sizeof terminated || address.find('\0') != std::string_view::npos) {
    return fail(Error::bad_address);
  }
  std::memcpy(terminated, address.data(), address.size());

  Octets prefix{};
  std::size_t octets = 16;
  if (inet_pton(AF_INET, terminated, prefix.data()) == 1) {
    octets = 4;
  } else if (inet_pton(AF_INET6, terminated, prefix.data()) != 1) {
    return fail(Error::bad_address);
  }
  std::size_t bits = octets * 8;
  if (slash != std::string_view::npos) {
    const auto given = parse_bits(text.substr(slash + 1), static_cast<std::uint8_t>(bits));
    if (!given) return fail(given.error());
    bits = *given;
  }
  if (octets == 16 && bits >= mapped_bits &&
      std::equal(mapped_prefix.begin(), mapped_prefix.end(), prefix.begin())) {
    std::rotate(prefix.begin(), prefix.begin() + mapped_prefix.size(), prefix.end());
    std::fill(prefix.begin() + 4, prefix.end(), std::uint8_t{0});
    octets = 4;
    bits -= mapped_bits;
  }

  const Octets mask = leading_ones(bits);
  for (std::size_t at = 0; at < octets; ++at) {
    if ((prefix[at] & ~mask[at]) != 0) return fail(Error::bad_address);
  }
  Network network;
  network.prefix_ = AddressWords(std::span(prefix).first(octets));
  network.mask_ = AddressWords(std::span(mask).first(octets));
  network.bits_ = static_cast<unsigned>(bits);
  return network;
}

std::string Network::text() const {
  const bool is_v4 = prefix_.octets == 4;
  const auto v4 = static_cast<std::uint32_t>(prefix_.first);
  const std::uint64_t v6[] = {prefix_.first, prefix_.second};
  char buffer[INET6_ADDRSTRLEN];
  const char* address =
      inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? static_cast<const void*>(&v4) : v6, buffer,
                sizeof buffer);
  return std::string(address) + "/" + std::to_string(bits_);
}

const std::vector<Network>& local_networks() {
  static const std::vector<Network> networks = [] {
    std::vector<Network> list;
    for (const char* text : {
             "127.0.0.0/8",     // loopback, RFC 1122 §3.2.1.3
             "10.0.0.0/8",      // private, RFC 1918 §3
             "172.16.0.0/12",   //
             "192.168.0.0/16",  //
             "169.254.0.0/16",  // link-local, RFC 3927 §2.1
             "::1/128",         // loopback, RFC 4291 §2.5.3
             "fc00::/7",        // unique local, RFC 4193 §3.1
             "fe80::/10",       // link-local, RFC 4291 §2.5.6
         }) {
      list.push_back(*Network::parse(text));
    }
    return list;
  }();
  return networks;
}

}  // namespace sotto
