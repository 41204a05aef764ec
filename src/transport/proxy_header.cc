#include "transport/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace sotto {
namespace {

using Kind = ProxyHeader::Kind;
using Octets = std::span<const std::uint8_t>;

constexpr ProxyHeader incomplete{.kind = Kind::incomplete};
constexpr ProxyHeader malformed{.kind = Kind::malformed};

// --- version 1, section 2.1 ---------------------------------------------------------------------

constexpr std::size_t line_octets_max = 107;  // with its CRLF
constexpr std::string_view line_end = "\r\n";

// A word that a line may begin with, and what may stand in the addresses behind it.
struct Family {
  std::string_view word;
  std::string_view characters;
  std::size_t address_octets_max;
};
constexpr std::array<Family, 2> families{
    {{"PROXY TCP4 ", "0123456789.", std::string_view{"255.255.255.255"}.size()},
     {"PROXY TCP6 ", "0123456789abcdefABCDEF:.",
      std::string_view{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"}.size()}}};
constexpr std::string_view unknown_word = "PROXY UNKNOWN";

bool begin_alike(std::string_view text, std::string_view word) {
  const std::size_t octets = std::min(text.size(), word.size());
  return text.substr(0, octets) == word.substr(0, octets);
}

std::optional<IpAddress> parse_address(const Family& family, std::string_view text) {
  // inet_pton() takes a dotted quad for the end of an IPv6 address, as inet_ntop() writes one.
  const bool is_v6 = text.find(':') != std::string_view::npos;
  if (is_v6 != (&family == &families[1])) return {};
  const auto ip = IpAddress::parse(text);
  if (!ip) return {};
  return *ip;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, port);
  const bool canonical = text.size() == 1 || !text.starts_with('0');
  if (text.empty() || result.ec != std::errc{} || result.ptr != end || !canonical) return {};
  return port;
}

constexpr std::size_t fields = 4;  // source and destination, then their ports
constexpr std::size_t first_port = 2;
constexpr std::size_t port_octets_max = 5;

// May a field that has begun like this become one?
bool may_become(const Family& family, std::size_t field, std::string_view text) {
  const bool port = field >= first_port;
  const std::string_view characters = port ? std::string_view{"0123456789"} : family.characters;
  return text.size() <= (port ? port_octets_max : family.address_octets_max) &&
         text.find_first_not_of(characters) == std::string_view::npos;
}

// rest: the line behind the word, without its end. whole: it ended.
ProxyHeader read_fields(const Family& family, std::string_view rest, bool whole) {
  ProxyHeader header{.kind = Kind::proxied};
  for (std::size_t field = 0; field < fields; ++field) {
    const std::size_t space = rest.find(' ');
    const std::string_view text = rest.substr(0, space);
    if (!may_become(family, field, text)) return malformed;
    const bool last = field + 1 == fields;
    if (space == std::string_view::npos && !whole) return incomplete;
    if (last != (space == std::string_view::npos)) return malformed;
    rest.remove_prefix(last ? rest.size() : space + 1);
    if (field < first_port) {
      const auto ip = parse_address(family, text);
      if (!ip) return malformed;
      if (field == 0) header.client.ip = *ip;
    } else {
      const auto port = parse_port(text);
      if (!port) return malformed;
      if (field == first_port) header.client.port = *port;
    }
  }
  return header;
}

// Whatever such a line says besides is not for us. end: of the line, or npos.
ProxyHeader read_unknown(std::string_view text, std::size_t end, const ProxyHeader& unfinished) {
  const std::size_t next = unknown_word.size();
  if (text.size() > next && text[next] != ' ' && !begin_alike(text.substr(next), line_end)) {
    return malformed;
  }
  if (end == std::string_view::npos) return unfinished;
  return {.kind = Kind::local, .octets = end + line_end.size()};
}

ProxyHeader read_line(std::string_view text) {
  text = text.substr(0, line_octets_max);
  const ProxyHeader& unfinished = text.size() == line_octets_max ? malformed : incomplete;
  const std::size_t end = text.find(line_end);
  if (begin_alike(text, unknown_word)) return read_unknown(text, end, unfinished);
  const auto family = std::ranges::find_if(
      families, [text](const Family& one) { return begin_alike(text, one.word); });
  if (family == families.end()) return malformed;
  if (text.size() < family->word.size()) return incomplete;

  std::string_view rest = text.substr(0, end).substr(family->word.size());
  const bool cut = end == std::string_view::npos && rest.ends_with('\r');  // inside its end
  if (cut) rest.remove_suffix(1);
  ProxyHeader header = read_fields(*family, rest, cut || end != std::string_view::npos);
  if (header.kind == Kind::malformed) return malformed;
  if (header.kind == Kind::incomplete || cut) return unfinished;
  header.octets = end + line_end.size();
  return header;
}

// --- version 2, section 2.2 ---------------------------------------------------------------------

constexpr std::array<std::uint8_t, 12> signature{0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
constexpr std::size_t command_at = signature.size();
constexpr std::size_t family_at = command_at + 1;
constexpr std::size_t length_at = family_at + 1;
constexpr std::size_t fixed_octets = length_at + 2;

constexpr std::uint8_t local_command = 0x20;
constexpr std::uint8_t proxy_command = 0x21;

// The family's half (2: IPv6) and the protocol's half of an octet; 0 is unspecified in both.
constexpr unsigned inet = 1;
constexpr unsigned unix_sockets = 3;
constexpr unsigned datagram = 2;
// Of source and destination: addresses and ports, or paths.
constexpr std::array<std::size_t, unix_sockets + 1> address_octets{0, 12, 36, 216};

constexpr std::uint8_t crc32c_type = 0x03;
constexpr std::size_t crc32c_octets = 4;
constexpr std::size_t field_head_octets = 3;  // type and length

// RFC 3720 §12.1, its bits in reverse.
constexpr std::uint32_t crc32c_polynomial = 0x82F6'3B78;
constexpr std::array<std::uint32_t, 256> crc32c_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t octet = 0; octet < table.size(); ++octet) {
    std::uint32_t rest = octet;
    for (int bit = 0; bit < 8; ++bit) {
      rest = (rest >> 1U) ^ ((rest & 1U) != 0 ? crc32c_polynomial : 0);
    }
    table[octet] = rest;
  }
  return table;
}();

// The sum of the header as if its own place were zero.
std::uint32_t crc32c(Octets header, std::size_t own_place) {
  std::uint32_t rest = 0xFFFF'FFFF;
  for (std::size_t at = 0; at < header.size(); ++at) {
    const bool own = at >= own_place && at < own_place + crc32c_octets;
    rest = (rest >> 8U) ^ crc32c_table[(rest ^ (own ? 0U : header[at])) & 0xFFU];
  }
  return rest ^ 0xFFFF'FFFF;
}

std::uint16_t number16(Octets octets, std::size_t at) {
  return static_cast<std::uint16_t>((octets[at] << 8U) | octets[at + 1]);
}

std::uint32_t number32(Octets octets, std::size_t at) {
  return (std::uint32_t{number16(octets, at)} << 16U) | number16(octets, at + 2);
}

// The fields behind the addresses: whole ones up to the header's end, and a sum that is right.
bool fields_are_right(Octets header, std::size_t at) {
  std::optional<std::size_t> sum_at;
  while (at < header.size()) {
    if (header.size() - at < field_head_octets) return false;
    const std::uint8_t type = header[at];
    const std::size_t length = number16(header, at + 1);
    at += field_head_octets;
    if (header.size() - at < length) return false;
    if (type == crc32c_type) {
      if (length != crc32c_octets || sum_at) return false;
      sum_at = at;
    }
    at += length;
  }
  return !sum_at || number32(header, *sum_at) == crc32c(header, *sum_at);
}

// With LOCAL the family means nothing, whatever it is.
bool family_is_known(std::uint8_t command, std::uint8_t family) {
  return command == local_command || (family >> 4U <= unix_sockets && (family & 0x0FU) <= datagram);
}

SocketAddress read_client(Octets addresses, unsigned family) {
  if (family == inet) {
    constexpr std::size_t source_port = 8;
    return {IpAddress::v4(addresses.first<4>()), number16(addresses, source_port)};
  }
  constexpr std::size_t source_port = 32;
  return {IpAddress::v6(addresses.first<16>()), number16(addresses, source_port)};
}

ProxyHeader read_binary(Octets octets) {
  const std::size_t compared = std::min(octets.size(), signature.size());
  if (!std::equal(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(compared),
                  signature.begin())) {
    return malformed;
  }
  if (octets.size() <= command_at) return incomplete;
  const std::uint8_t command = octets[command_at];
  if (command != local_command && command != proxy_command) return malformed;
  if (octets.size() <= family_at) return incomplete;
  if (!family_is_known(command, octets[family_at])) return malformed;
  if (octets.size() < fixed_octets) return incomplete;
  const std::size_t whole = fixed_octets + number16(octets, length_at);
  if (whole > proxy_header_octets_max) return malformed;
  const unsigned family = octets[family_at] >> 4U;
  const bool ignored = command == local_command || family == 0;
  if (!ignored && whole < fixed_octets + address_octets[family]) return malformed;
  if (octets.size() < whole) return incomplete;

  // Without a family nobody can tell where addresses would end.
  const ProxyHeader local{.kind = Kind::local, .octets = whole};
  if (ignored) return local;
  const Octets header = octets.first(whole);
  if (!fields_are_right(header, fixed_octets + address_octets[family])) return malformed;
  const bool unspecified = (octets[family_at] & 0x0FU) == 0;
  if (family == unix_sockets || unspecified) return local;
  return {.kind = Kind::proxied,
          .octets = whole,
          .client = read_client(header.subspan(fixed_octets), family)};
}

}  // namespace

ProxyHeader read_proxy_header(Octets octets) {
  if (octets.empty()) return incomplete;
  if (octets.front() == signature.front()) return read_binary(octets);
  return read_line({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

ProxyHeader read_datagram_proxy_header(Octets octets) {
  const ProxyHeader header = read_binary(octets);
  return header.kind == Kind::incomplete ? malformed : header;
}

}  // namespace sotto
