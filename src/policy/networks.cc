#include "policy/networks.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cassert>
#include <charconv>
#include <cstring>

namespace sotto {

namespace {

// The bits of an octet that a prefix ending inside it covers.
std::uint8_t leading_bits(unsigned bits) {
  return static_cast<std::uint8_t>(0xFF00U >> bits);
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

  Network network;
  if (inet_pton(AF_INET, terminated, network.prefix_.data()) == 1) {
    network.octets_ = 4;
  } else if (inet_pton(AF_INET6, terminated, network.prefix_.data()) == 1) {
    network.octets_ = 16;
  } else {
    return fail(Error::bad_address);
  }
  network.bits_ = static_cast<std::uint8_t>(network.octets_ * 8U);
  if (slash != std::string_view::npos) {
    const auto bits = parse_bits(text.substr(slash + 1), network.bits_);
    if (!bits) return fail(bits.error());
    network.bits_ = *bits;
  }

  for (std::size_t i = network.bits_ / 8U; i < network.octets_; ++i) {
    const std::uint8_t covered = i == network.bits_ / 8U ? leading_bits(network.bits_ % 8U) : 0;
    if ((network.prefix_[i] & static_cast<std::uint8_t>(~covered)) != 0) {
      return fail(Error::bad_address);
    }
  }
  if (network.octets_ == 16 && network.bits_ >= mapped_bits &&
      std::equal(mapped_prefix.begin(), mapped_prefix.end(), network.prefix_.begin())) {
    std::copy_n(network.prefix_.begin() + mapped_prefix.size(), 4, network.prefix_.begin());
    std::fill(network.prefix_.begin() + 4, network.prefix_.end(), std::uint8_t{0});
    network.octets_ = 4;
    network.bits_ = static_cast<std::uint8_t>(network.bits_ - mapped_bits);
  }
  return network;
}

bool Network::contains(std::span<const std::uint8_t> address) const {
  assert(address.size() == 4 || address.size() == 16);
  if (address.size() != octets_) return false;
  const std::size_t whole = bits_ / 8U;
  if (std::memcmp(address.data(), prefix_.data(), whole) != 0) return false;
  const unsigned rest = bits_ % 8U;
  return rest == 0 || ((address[whole] ^ prefix_[whole]) & leading_bits(rest)) == 0;
}

std::string Network::text() const {
  char buffer[INET6_ADDRSTRLEN];
  const char* address =
      inet_ntop(octets_ == 4 ? AF_INET : AF_INET6, prefix_.data(), buffer, sizeof buffer);
  return std::string(address) + "/" + std::to_string(bits_);
}

bool any_contains(const std::vector<Network>& networks, std::span<const std::uint8_t> address) {
  return std::ranges::any_of(
      networks, [address](const Network& network) { return network.contains(address); });
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
