#include "app/option_setters.h"

#include <algorithm>
#include <filesystem>

#include "app/duration.h"
#include "app/text.h"

namespace sotto {

namespace {

// unix(7): sun_path with its final zero.
constexpr std::size_t unix_socket_path_octets_max = 107;

void set_ttl(Draft& draft, std::chrono::seconds& ttl, const Value& value) {
  const std::chrono::milliseconds given{value.number};
  ttl = std::chrono::floor<std::chrono::seconds>(given);
  if (ttl == given) return;
  const std::string suggestion = "write " + toml_string(duration_text(ttl));
  draft.errors.push_back(
      {value.place, complaint("TTLs are whole seconds", duration_text(given), suggestion)});
}

}  // namespace

void complain(Draft& draft, const Text& element, std::string_view what,
              std::string_view suggestion) {
  draft.errors.push_back({element.place, complaint(what, element.text, suggestion)});
}

bool needs_zone(const IpAddress& ip) {
  return !ip.is_v4() && ip.is_link_local() && ip.scope() == 0;
}

bool collide(const SocketAddress& one, const SocketAddress& other) {
  if (one.port != other.port || one.ip.is_v4() != other.ip.is_v4()) return false;
  return one.ip == other.ip || one.ip.is_unspecified() || other.ip.is_unspecified();
}

std::string absolute_path(Draft& draft, const Value& value) {
  // The kernel would take what stands before it for the whole.
  if (value.text.find('\0') != std::string::npos) {
    draft.errors.push_back({value.place, complaint("the path holds a zero octet", value.text)});
    return {};
  }
  std::filesystem::path path(value.text);
  if (value.text.empty()) return {};
  if (path.is_relative() && value.place.in_file()) {
    path = std::filesystem::path(value.place.source).parent_path() / path;
  }
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  if (!failed) path = absolute.lexically_normal();
  return path.string();
}

std::vector<Network> parse_networks(Draft& draft, const std::vector<Text>& texts) {
  std::vector<Network> networks;
  for (const Text& element : texts) {
    const auto network = Network::parse(element.text);
    if (network) {
      networks.push_back(*network);
      continue;
    }
    const std::size_t slash = element.text.find('/');
    const bool address = IpAddress::parse(element.text.substr(0, slash)).has_value();
    complain(
        draft, element, "not a network",
        address && slash != std::string::npos
            ? "write \"10.0.0.0/8\" or \"fd00::/8\": at most 32 or 128 bits, and zeros behind them"
            : "write \"10.0.0.0/8\", \"fd00::/8\" or \"192.0.2.1\"");
  }
  return networks;
}

void set_policy_allow(Draft& draft, Entry&, const Value& value) {
  draft.config.policy.allow = parse_networks(draft, value.list);
  if (value.list.empty()) {
    draft.errors.push_back({value.place,
                            "policy.allow is empty, so nobody could ask; name networks, or leave "
                            "it out for the local ones"});
  }
}

void set_cache_ttl_min(Draft& draft, Entry&, const Value& value) {
  set_ttl(draft, draft.config.cache.ttl_min, value);
  draft.cache_ttl_min = value.place;
}

void set_cache_ttl_max(Draft& draft, Entry&, const Value& value) {
  set_ttl(draft, draft.config.cache.ttl_max, value);
}

void set_cache_negative_ttl_max(Draft& draft, Entry&, const Value& value) {
  set_ttl(draft, draft.config.cache.negative_ttl_max, value);
}

void set_cache_file(Draft& draft, Entry&, const Value& value) {
  draft.config.cache.file = absolute_path(draft, value);
}

void set_control_socket(Draft& draft, Entry&, const Value& value) {
  std::string& socket = draft.config.control.socket;
  socket = value.text == control_socket_auto ? value.text : absolute_path(draft, value);
  if (socket.size() <= unix_socket_path_octets_max) return;
  draft.errors.push_back(
      {value.place, complaint("the path is too long for a socket", socket,
                              "it may have " + std::to_string(unix_socket_path_octets_max) +
                                  " octets and has " + std::to_string(socket.size()))});
}

std::string networks_text(const std::vector<Network>& networks) {
  std::vector<std::string> texts;
  texts.reserve(networks.size());
  for (const Network& network : networks) texts.push_back(network.text());
  return toml_list(texts);
}

LogLevel log_level_of(std::string_view text) {
  for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warning}) {
    if (text == to_text(level)) return level;
  }
  return LogLevel::error;
}

}  // namespace sotto
