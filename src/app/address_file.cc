#include "app/address_file.h"

#include <optional>

#include "app/upstream_url.h"

namespace sotto {
namespace {

constexpr std::string_view title = "sotto addresses ";
constexpr std::string_view format_version = "1";

// Up to separator, which is taken away, too; nothing if there is none.
std::optional<std::string_view> take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end + 1);
  return taken;
}

bool parse_host(std::string_view line, HostAddresses& hosts) {
  const auto name = take_until(line, ' ');
  if (!name || !is_host_name(*name)) return false;
  std::vector<IpAddress>& addresses = hosts[std::string(*name)];
  if (!addresses.empty()) return false;  // twice
  for (bool last = false; !last;) {
    const auto text = take_until(line, ' ');
    last = !text;
    const auto address = IpAddress::parse(text.value_or(line));
    if (!address || address->is_unspecified()) return false;
    addresses.push_back(*address);
  }
  return addresses.size() <= 2 * family_addresses_max;
}

}  // namespace

std::string encode_addresses(const HostAddresses& hosts) {
  std::string text{title};
  text.append(format_version) += '\n';
  for (const auto& [host, addresses] : hosts) {
    text += host;
    for (const IpAddress& address : addresses) text += ' ' + address.text();
    text += '\n';
  }
  return text + "end " + std::to_string(hosts.size()) + '\n';
}

Result<HostAddresses> decode_addresses(std::string_view text) {
  if (!text.starts_with(title)) return fail(Error::foreign_file);
  text.remove_prefix(title.size());
  const auto version = take_until(text, '\n');
  if (!version) return fail(Error::damaged_file);
  if (*version != format_version) return fail(Error::other_version);
  HostAddresses hosts;
  while (const auto line = take_until(text, '\n')) {
    // What is cut short lacks the end.
    if (text.empty() && *line == "end " + std::to_string(hosts.size())) return hosts;
    if (!parse_host(*line, hosts)) break;
  }
  return fail(Error::damaged_file);
}

}  // namespace sotto
