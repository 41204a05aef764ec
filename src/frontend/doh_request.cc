#include "frontend/doh_request.h"

#include <algorithm>
#include <array>
#include <string>

#include "dns/constants.h"
#include "dns/record_walk.h"
#include "dns/wire.h"

namespace sotto {
namespace {

constexpr std::uint8_t not_a_digit = 0xFF;

constexpr std::array<std::uint8_t, 256> make_digits() {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(not_a_digit);
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (std::size_t at = 0; at < alphabet.size(); ++at) {
    digits[static_cast<std::uint8_t>(alphabet[at])] = static_cast<std::uint8_t>(at);
  }
  return digits;
}
constexpr std::array<std::uint8_t, 256> digits = make_digits();

// The 24 bits of four digits, or not_digits.
constexpr std::uint32_t not_digits = UINT32_MAX;
inline std::uint32_t join_digits(const char* four) {
  const auto digit = [four](std::size_t at) -> std::uint32_t {
    return digits[static_cast<std::uint8_t>(four[at])];
  };
  constexpr std::uint32_t beyond = 0xC0;  // what no digit has
  const std::uint32_t first = digit(0);
  const std::uint32_t second = digit(1);
  const std::uint32_t third = digit(2);
  const std::uint32_t fourth = digit(3);
  if (((first | second | third | fourth) & beyond) != 0) return not_digits;
  return first << 18U | second << 12U | third << 6U | fourth;
}

DohQuery refusal(std::uint16_t status, std::string_view words) {
  return {.status = status, .message = {}, .words = words};
}

// message: of a request whose form is right.
DohQuery query(std::span<const std::uint8_t> message) {
  if (message.size() < header_octets) {
    return refusal(400, "the DNS message is shorter than its header of 12 octets\n");
  }
  return {.status = 200, .message = message, .words = {}};
}

// The values of a parameter in "a=1&dns=AAAA": how many, and the last.
struct Parameter {
  std::size_t count = 0;
  std::string_view value;
};

Parameter find_parameter(std::string_view parameters, std::string_view name) {
  Parameter found;
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find('&'), parameters.size());
    const std::string_view one = parameters.substr(0, end);
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=') {
      ++found.count;
      found.value = one.substr(name.size() + 1);
    }
  }
  return found;
}

DohQuery read_get(std::string_view parameters, std::vector<std::uint8_t>& decoded) {
  const Parameter dns = find_parameter(parameters, "dns");
  if (dns.count == 0) return refusal(400, "a GET needs the DNS message in the parameter dns\n");
  if (dns.count > 1) return refusal(400, "the parameter dns is there more than once\n");
  if (!decode_base64url(dns.value, decoded)) {
    return refusal(400, "the parameter dns is not base64url without padding\n");
  }
  return query(decoded);
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

// RFC 3986 §2.3.
bool is_unreserved(char character) {
  constexpr std::string_view marks = "-._~";
  return (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z') ||
         (character >= '0' && character <= '9') || marks.find(character) != std::string_view::npos;
}

// RFC 3986 §6.2.2.1 and §6.2.2.2: escaped characters that need no escape, and the spelling of
// escapes, make no difference.
std::string with_normal_escapes(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  constexpr std::size_t escape_octets = 3;
  std::string normal;
  normal.reserve(text.size());
  while (!text.empty()) {
    const bool whole = text.front() == '%' && text.size() >= escape_octets;
    const int high = whole ? hex_value(text[1]) : -1;
    const int low = whole ? hex_value(text[2]) : -1;
    if (high < 0 || low < 0) {
      normal += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto character = static_cast<char>(high * 16 + low);
    if (is_unreserved(character)) {
      normal += character;
    } else {
      normal += '%';
      normal += hex[static_cast<std::size_t>(high)];
      normal += hex[static_cast<std::size_t>(low)];
    }
    text.remove_prefix(escape_octets);
  }
  return normal;
}

bool same_path(std::string_view asked, std::string_view served) {
  return asked == served ||
         (served.find('%') != std::string_view::npos && asked == with_normal_escapes(served));
}

// Without parameters, of which this media type has none, and without the space before them.
bool is_dns_message(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  const auto same = [](char left, char right) {
    return (left >= 'A' && left <= 'Z' ? left - 'A' + 'a' : left) == right;
  };
  return std::equal(content_type.begin(), content_type.end(), dns_message_media_type.begin(),
                    dns_message_media_type.end(), same);
}

}  // namespace

bool decode_base64url(std::string_view text, std::vector<std::uint8_t>& octets) {
  constexpr std::size_t group_digits = 4;
  constexpr std::size_t group_octets = 3;
  octets.clear();
  const std::size_t groups = text.size() / group_digits;
  const std::size_t tail_digits = text.size() % group_digits;
  if (tail_digits == 1) return false;  // a lone digit is no octet
  const std::size_t tail_octets = tail_digits == 0 ? 0 : tail_digits - 1;
  octets.resize(groups * group_octets + tail_octets);
  const char* from = text.data();
  std::uint8_t* to = octets.data();
  for (std::size_t i = 0; i < groups; ++i, from += group_digits, to += group_octets) {
    const std::uint32_t group = join_digits(from);
    if (group == not_digits) return false;
    to[0] = static_cast<std::uint8_t>(group >> 16U);
    to[1] = static_cast<std::uint8_t>(group >> 8U);
    to[2] = static_cast<std::uint8_t>(group);
  }
  if (tail_digits == 0) return true;
  const char tail[] = {from[0], from[1], tail_digits == 3 ? from[2] : 'A', 'A'};
  const std::uint32_t group = join_digits(tail);
  to[0] = static_cast<std::uint8_t>(group >> 16U);
  if (tail_octets == 2) to[1] = static_cast<std::uint8_t>(group >> 8U);
  // The bits that are no octet are zero (RFC 4648 §3.5).
  return group != not_digits && (group & (tail_octets == 2 ? 0xFFU : 0xFFFFU)) == 0;
}

DohQuery read_doh_request(const HttpRequestView& request, std::string_view path,
                          std::vector<std::uint8_t>& decoded) {
  using Fault = HttpRequestView::Fault;
  if (request.fault == Fault::header_list_too_large) {
    return refusal(431,
                   "the header fields are longer than 16384 octets; a long query needs POST\n");
  }
  if (request.fault == Fault::body_too_large) {
    return refusal(413, "a DNS message has at most 65535 octets\n");
  }
  std::string normal;  // views are into it, or into the request
  std::string_view target = request.path;
  if (target.find('%') != std::string_view::npos) target = normal = with_normal_escapes(target);
  const std::size_t mark = std::min(target.find('?'), target.size());
  if (!same_path(target.substr(0, mark), path)) {
    return refusal(404, "DNS is not served at this path\n");
  }
  if (request.method == "GET" || request.method == "HEAD") {
    return read_get(target.substr(std::min(mark + 1, target.size())), decoded);
  }
  if (request.method != "POST") return refusal(405, "use GET or POST\n");
  if (!is_dns_message(request.content_type)) {
    return refusal(415, "the content-type of a query is application/dns-message\n");
  }
  return query(request.body);
}

std::optional<std::uint32_t> freshness(std::span<const std::uint8_t> response) {
  constexpr std::size_t number_octets = 4;
  const std::uint16_t code = load16(&response[2]) & flag::rcode_mask;
  if (code != rcode::noerror && code != rcode::nxdomain) return std::nullopt;
  if (load16(&response[4]) != 1) return std::nullopt;
  std::size_t at = header_octets;  // the question's name has no pointers
  while (response[at] != 0) at += std::size_t{response[at]} + 1;
  RecordWalk walk(response, at + 1 + question_tail_octets);
  std::optional<std::uint32_t> lowest;
  const auto bound = [&lowest](std::uint32_t ttl) { lowest = std::min(lowest.value_or(ttl), ttl); };
  for (std::uint16_t left = load16(&response[6]); left > 0; --left) {
    bound(load32(&response[walk.next().ttl()]));
  }
  for (std::uint16_t left = load16(&response[8]); left > 0; --left) {
    const RecordPlace place = walk.next();
    if (load16(&response[place.type]) != rtype::soa) continue;
    bound(load32(&response[place.ttl()]));
    bound(load32(&response[place.end - number_octets]));  // MINIMUM, the last of its numbers
  }
  return lowest;
}

}  // namespace sotto
