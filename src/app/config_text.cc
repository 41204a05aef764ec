#include <algorithm>

#include "app/config_source.h"
#include "app/options.h"
#include "app/providers.h"

namespace sotto {

namespace {

bool is_default_listen(const Option& option, const Config& config) {
  const auto& addresses = option.leaf() == "udp" ? config.listen.udp : config.listen.tcp;
  return option.section() == "listen" && !addresses.empty() && addresses.front().is_default;
}

std::string upstream_block(const Config& config, const UpstreamConfig& upstream) {
  std::string text = "\n[[upstream]]\n";
  if (const Provider* provider = find_provider(upstream.name)) {
    text += "# " + std::string(provider->auth_name) + " at";
    for (const SocketAddress& endpoint : upstream.endpoints) text += " " + endpoint.text();
    text += "\n";
  }
  for (const Option& option : options()) {
    if (!option.of_upstream()) continue;
    text += std::string(option.leaf()) + " = " + option.print(config, upstream) + "\n";
  }
  return text;
}

}  // namespace

std::string config_text(const Config& config) {
  std::string text;
  std::string_view section;
  for (const Option& option : options()) {
    if (option.of_upstream()) continue;
    if (option.section() != section) {
      section = option.section();
      text += "\n[" + std::string(section) + "]\n";
    }
    // A configured address that the host lacks is an error, a default one is skipped: so these
    // stay what they are only if they are not written down.
    if (is_default_listen(option, config)) text += "# default: ";
    text += std::string(option.leaf()) + " = " + option.print(config, {}) + "\n";
  }
  for (const UpstreamConfig& upstream : config.upstreams) text += upstream_block(config, upstream);
  return text;
}

}  // namespace sotto
