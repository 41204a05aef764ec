// Parameters of SVCB and HTTPS records: RFC 9460 §2.1, §14.3.2; RFC 9461 (dohpath).
#include <array>

#include "app/query/rdata_text.h"
#include "app/text.h"
#include "transport/address.h"

namespace sotto {

namespace {

constexpr std::array<std::string_view, 9> key_names{"mandatory", "alpn",     "no-default-alpn",
                                                    "port",      "ipv4hint", "ech",
                                                    "ipv6hint",  "dohpath",  "ohttp"};

using Octets = std::span<const std::uint8_t>;

std::string key_text(std::uint16_t key) {
  if (key < key_names.size()) return std::string(key_names[key]);
  return "key" + std::to_string(key);
}

void append_item(std::string& list, const std::string& item) {
  if (!list.empty()) list += ',';
  list += item;
}

std::optional<std::string> keys_text(Octets value) {
  WireReader reader(value);
  std::string list;
  while (reader.left() > 0) append_item(list, key_text(reader.take16()));
  if (!reader.ok()) return std::nullopt;
  return list;
}

std::optional<std::string> alpn_text(Octets value) {
  WireReader reader(value);
  std::string list;
  while (reader.left() > 0) {
    const Octets id = reader.take(reader.take8());
    const std::string quoted = quoted_string(id);
    append_item(list, quoted.substr(1, quoted.size() - 2));
  }
  if (!reader.ok()) return std::nullopt;
  return "\"" + list + "\"";
}

std::optional<std::string> hints_text(Octets value, std::size_t octets) {
  if (value.empty() || value.size() % octets != 0) return std::nullopt;
  std::string list;
  for (std::size_t at = 0; at < value.size(); at += octets) {
    append_item(list, octets == 4 ? IpAddress::v4(value.subspan(at).first<4>()).text()
                                  : ipv6_text(value.subspan(at).first<16>()));
  }
  return list;
}

std::optional<std::string> value_text(std::uint16_t key, Octets value) {
  switch (key) {
    case 0:
      return keys_text(value);
    case 1:
      return alpn_text(value);
    case 3:
      if (value.size() != 2) return std::nullopt;
      return std::to_string(load16(value.data()));
    case 4:
      return hints_text(value, 4);
    case 5:
      return base64(value);
    case 6:
      return hints_text(value, 16);
    default:
      return quoted_string(value);
  }
}

}  // namespace

std::optional<std::string> svcb_parameters_text(WireReader& reader) {
  std::string text;
  while (reader.ok() && reader.left() > 0) {
    const std::uint16_t key = reader.take16();
    const Octets value = reader.take(reader.take16());
    if (!reader.ok()) return std::nullopt;
    if (!text.empty()) text += ' ';
    text += key_text(key);
    if (value.empty()) continue;
    const auto shown = value_text(key, value);
    if (!shown) return std::nullopt;
    text += "=" + *shown;
  }
  if (!reader.ok()) return std::nullopt;
  return text;
}

}  // namespace sotto
