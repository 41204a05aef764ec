#include "transport/address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <net/if.h>

namespace sotto {

namespace {

// RFC 4291 §2.5.5.2: ::ffff:0:0/96.
constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

// Longest textual IPv6 address, with a scope behind it, and the zero that inet_pton wants.
constexpr std::size_t address_text_max = INET6_ADDRSTRLEN;

template <class Number>
Result<Number> parse_number(std::string_view text) {
  Number number = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) {
    return fail(Error::bad_address);
  }
  return number;
}

// An interface by name or index. RFC 4007 §11.2.
Result<std::uint32_t> parse_scope(std::string_view text) {
  if (const auto index = parse_number<std::uint32_t>(text); index && *index != 0) return *index;
  if (text.empty() || text.size() >= IF_NAMESIZE) return fail(Error::bad_address);
  const unsigned index = if_nametoindex(std::string(text).c_str());
  if (index == 0) return fail(Error::bad_address);
  return index;
}

bool is_link_local_unicast(std::span<const std::uint8_t, 16> octets) {
  return octets[0] == 0xFE && (octets[1] & 0xC0U) == 0x80;
}

bool has_link_scope(std::span<const std::uint8_t, 16> octets) {
  const bool multicast = octets[0] == 0xFF && (octets[1] & 0x0FU) == 0x02;
  return multicast || is_link_local_unicast(octets);
}

}  // namespace

IpAddress IpAddress::v4(std::span<const std::uint8_t, 4> octets) {
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  return address;
}

IpAddress IpAddress::v6(std::span<const std::uint8_t, 16> octets, std::uint32_t scope) {
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), octets.begin())) {
    return v4(octets.subspan<12, 4>());
  }
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  address.v4_ = false;
  // Sockets report a scope for link-local addresses only; elsewhere it would make one host two.
  if (has_link_scope(octets)) address.scope_ = scope;
  return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::size_t percent = text.find('%');
  const std::string_view digits = text.substr(0, percent);
  if (digits.empty() || digits.size() >= address_text_max ||
      digits.find('\0') != std::string_view::npos) {
    return fail(Error::bad_address);
  }
  char terminated[address_text_max] = {};
  std::memcpy(terminated, digits.data(), digits.size());

  std::array<std::uint8_t, 16> octets{};
  if (percent == std::string_view::npos && inet_pton(AF_INET, terminated, octets.data()) == 1) {
    return v4(std::span(octets).first<4>());
  }
  if (inet_pton(AF_INET6, terminated, octets.data()) != 1) return fail(Error::bad_address);
  if (percent == std::string_view::npos) return v6(octets);
  if (!has_link_scope(octets)) return fail(Error::bad_address);
  const auto scope = parse_scope(text.substr(percent + 1));
  if (!scope) return fail(scope.error());
  return v6(octets, *scope);
}

bool IpAddress::is_unspecified() const {
  return std::ranges::all_of(octets(), [](std::uint8_t octet) { return octet == 0; });
}

bool IpAddress::is_loopback() const {
  constexpr std::array<std::uint8_t, 16> v6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return v4_ ? octets_[0] == 127 : octets_ == v6;
}

bool IpAddress::is_link_local() const {
  return v4_ ? octets_[0] == 169 && octets_[1] == 254 : is_link_local_unicast(octets_);
}

std::string IpAddress::text() const {
  char buffer[address_text_max];
  std::string text = inet_ntop(v4_ ? AF_INET : AF_INET6, octets_.data(), buffer, sizeof buffer);
  if (scope_ != 0) {
    char name[IF_NAMESIZE];
    text += '%';
    text += if_indextoname(scope_, name) != nullptr ? std::string(name) : std::to_string(scope_);
  }
  return text;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return fail(Error::bad_address);
    host = text.substr(1, bracket - 1);
    // Brackets are for IPv6 only (RFC 3986 §3.2.2).
    if (host.find(':') == std::string_view::npos) return fail(Error::bad_address);
    const std::string_view rest = text.substr(bracket + 1);
    if (!rest.empty() && rest.front() != ':') return fail(Error::bad_address);
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos && colon == text.rfind(':')) {
    has_port = true;
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }

  const auto ip = IpAddress::parse(host);
  if (!ip) return fail(ip.error());
  if (!has_port) {
    if (default_port == 0) return fail(Error::bad_address);
    return SocketAddress{*ip, default_port};
  }
  const auto number = parse_number<std::uint16_t>(port);
  if (!number) return fail(number.error());
  return SocketAddress{*ip, *number};
}

std::string SocketAddress::text() const {
  const std::string host = ip.is_v4() ? ip.text() : "[" + ip.text() + "]";
  return host + ":" + std::to_string(port);
}

}  // namespace sotto
