#include <algorithm>

#include "app/config_source.h"
#include "app/listen_reader.h"
#include "app/options.h"
#include "app/providers.h"

namespace sotto {

namespace {

bool is_default_listen(const Option& option, const Config& config) {
  const Config::Listen& listen = config.listen;
  if (option.key == "listen.admin") return listen.admin && listen.admin->is_default;
  if (option.section() != "listen") return false;
  const auto& addresses = listen.*find_listen_transport(option.leaf())->addresses;
  return !addresses.empty() && addresses.front().is_default;
}

// The rows of one section of a list.
std::string block(const Config& config, std::string_view section, const Entry& entry) {
  std::string text;
  for (const Option& option : options()) {
    if (option.section() != section) continue;
    text += std::string(option.leaf()) + " = " + option.print(config, entry) + "\n";
  }
  return text;
}

std::string group_block(const Config& config, const GroupConfig& group) {
  Entry entry;
  entry.group = group;
  return "\n[[group]]\n" + block(config, "group", entry);
}

std::string upstream_block(const Config& config, const UpstreamConfig& upstream) {
  std::string text = "\n[[upstream]]\n";
  if (const Provider* provider = find_provider(upstream.provider)) {
    text += "# " + std::string(provider->auth_name) + " at";
    for (const SocketAddress& endpoint : upstream.endpoints) text += " " + endpoint.text();
    text += "\n";
  }
  Entry entry;
  entry.upstream = upstream;
  return text + block(config, "upstream", entry);
}

}  // namespace

std::string config_text(const Config& config) {
  std::string text;
  std::string_view section;
  for (const Option& option : options()) {
    if (option.of_list()) continue;
    if (option.section() != section) {
      section = option.section();
      text += "\n[" + std::string(section) + "]\n";
    }
    // A configured address that the host lacks is an error, a default one is skipped: so these
    // stay what they are only if they are not written down.
    if (is_default_listen(option, config)) text += "# default: ";
    text += std::string(option.leaf()) + " = " + option.print(config, {}) + "\n";
  }
  for (const GroupConfig& group : config.groups) text += group_block(config, group);
  for (const UpstreamConfig& upstream : config.upstreams) text += upstream_block(config, upstream);
  return text;
}

}  // namespace sotto
