#include "app/query/rdata_text.h"

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <ctime>

#include "app/query/record_types.h"
#include "app/text.h"
#include "dns/name.h"
#include "transport/address.h"

namespace sotto {

namespace {

using Octets = std::span<const std::uint8_t>;

// \DDD, three decimal digits.
std::string decimal_escape(std::uint8_t octet) {
  return "\\" + std::to_string(1'000U + octet).substr(1);
}

std::string escaped_octets(Octets octets) {
  std::string text;
  for (const std::uint8_t octet : octets) {
    const char character = static_cast<char>(octet);
    if (character == '"' || character == '\\') {
      text += '\\';
      text += character;
    } else if (octet >= 0x20U && octet <= 0x7EU) {
      text += character;
    } else {
      text += decimal_escape(octet);
    }
  }
  return text;
}

// RFC 4034 §3.2: YYYYMMDDHHmmSS in UTC. The value counts modulo 2^32; shown as of its first epoch.
std::string signature_time(std::uint32_t seconds) {
  const std::time_t count = seconds;
  std::tm parts{};
  ::gmtime_r(&count, &parts);
  std::array<char, 16> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S", &parts);
  return {text.data(), length};
}

// RFC 4648 §7 without padding, as NSEC3 uses it.
std::string base32hex(Octets octets) {
  constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
  std::string text;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t octet : octets) {
    bits = (bits << 8U) | octet;
    for (count += 8; count >= 5; count -= 5) text += digits[(bits >> (count - 5)) & 31U];
    bits &= (1U << count) - 1U;
  }
  if (count > 0) text += digits[(bits << (5 - count)) & 31U];
  return text;
}

// RFC 4034 §4.1.2: windows of at most 32 octets.
std::string type_bitmap(WireReader& reader) {
  std::string text;
  while (reader.ok() && reader.left() > 0) {
    const unsigned window = reader.take8();
    const std::uint8_t length = reader.take8();
    const Octets bitmap = reader.take(length);
    if (!reader.ok() || length == 0 || length > 32) {
      reader.set_failed();
      break;
    }
    for (unsigned bit = 0; bit < 8U * length; ++bit) {
      if ((bitmap[bit / 8] & (0x80U >> (bit % 8))) == 0) continue;
      if (!text.empty()) text += ' ';
      text += type_text(static_cast<std::uint16_t>(window * 256 + bit));
    }
  }
  return text;
}

std::string strings(WireReader& reader) {
  std::string text;
  while (reader.ok() && reader.left() > 0) {
    if (!text.empty()) text += ' ';
    text += quoted_string(reader.take(reader.take8()));
  }
  return text;
}

// An unquoted word (the tag of CAA): letters and digits, else the record is not what it says.
std::string word(WireReader& reader) {
  const Octets octets = reader.take(reader.take8());
  for (const std::uint8_t octet : octets) {
    const std::uint8_t lower = fold_case(octet);
    const bool digit = octet >= '0' && octet <= '9';
    if (!digit && (lower < 'a' || lower > 'z')) reader.set_failed();
  }
  if (octets.empty()) reader.set_failed();
  return escaped_octets(octets);
}

std::string hex_or_dash(Octets octets) {
  return octets.empty() ? "-" : hex(octets);
}

// Reads one field by its letter in the layout.
std::string field_text(char letter, WireReader& reader, Octets message) {
  switch (letter) {
    case '1':
      return std::to_string(reader.take8());
    case '2':
      return std::to_string(reader.take16());
    case '4':
      return std::to_string(reader.take32());
    case 'T':  // a type
      return type_text(reader.take16());
    case 't':
      return signature_time(reader.take32());
    case 'n': {
      const auto name = read_name(reader, message);
      return name ? name_to_text(name->octets()) : std::string{};
    }
    case 'a': {
      const Octets octets = reader.take(4);
      return reader.ok() ? IpAddress::v4(octets.first<4>()).text() : std::string{};
    }
    case 'q': {
      const Octets octets = reader.take(16);
      return reader.ok() ? ipv6_text(octets.first<16>()) : std::string{};
    }
    case 's':
      return quoted_string(reader.take(reader.take8()));
    case 'S':
      return strings(reader);
    case 'g':
      return word(reader);
    case 'v':  // the rest as one string
      return quoted_string(reader.take(reader.left()));
    case 'x':
      return hex_or_dash(reader.take(reader.left()));
    case 'b':
      return base64(reader.take(reader.left()));
    case 'H':  // with its length before it, as are salt and hash
      return hex_or_dash(reader.take(reader.take8()));
    case 'h':
      return base32hex(reader.take(reader.take8()));
    case 'B':
      return type_bitmap(reader);
    case 'p': {
      const auto parameters = svcb_parameters_text(reader);
      if (!parameters) reader.set_failed();
      return parameters.value_or("");
    }
    default:
      reader.set_failed();
      return {};
  }
}

std::string generic_text(Octets data) {
  std::string text = "\\# " + std::to_string(data.size());
  if (!data.empty()) text += " " + hex(data);
  return text;
}

}  // namespace

std::string quoted_string(Octets octets) {
  return "\"" + escaped_octets(octets) + "\"";
}

std::string ipv6_text(std::span<const std::uint8_t, 16> octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, octets.data(), text.data(), text.size());
  return text.data();
}

std::string rdata_text(std::uint16_t type, Octets message, std::size_t position) {
  const std::string_view layout = rdata_layout_text(type);
  WireReader reader(message, position);
  std::string text;
  for (const char letter : layout) {
    const std::string field = field_text(letter, reader, message);
    if (!text.empty() && !field.empty()) text += ' ';
    text += field;
  }
  const bool whole = !layout.empty() && reader.ok() && reader.left() == 0 && !text.empty();
  return whole ? text : generic_text(message.subspan(position));
}

}  // namespace sotto
