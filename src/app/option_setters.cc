#include "app/option_setters.h"

#include <algorithm>
#include <filesystem>

#include "app/duration.h"
#include "app/text.h"

namespace sotto {

namespace {

// unix(7): sun_path with its final zero.
constexpr std::size_t unix_socket_path_octets_max = 107;

constexpr std::uint16_t dns_port = 53;
constexpr std::uint16_t admin_port = 9'053;

// port: the one to suggest.
void complain_of_address(Draft& draft, const Text& element, std::uint16_t port) {
  const auto ip = IpAddress::parse(element.text);
  const std::string number = std::to_string(port);
  if (!ip) {
    return complain(draft, element, "not an address and port",
                    "write \"127.0.0.1:" + number + "\"");
  }
  if (!ip->is_v4()) {  // its last group may have been meant as the port
    return complain(draft, element, "an IPv6 address needs brackets and a port",
                    "write \"[::1]:" + number + "\"");
  }
  const std::string fixed = SocketAddress{*ip, port}.text();
  complain(draft, element, "the port is missing", "write \"" + fixed + "\"");
}

std::vector<ListenAddress> parse_listen(Draft& draft, const Value& value) {
  std::vector<ListenAddress> addresses;
  for (const Text& element : value.list) {
    const auto address = SocketAddress::parse(element.text);
    if (!address) {
      complain_of_address(draft, element, dns_port);
      continue;
    }
    if (address->port == 0) {
      complain(draft, element, "port 0 cannot be listened on", "the port of DNS is 53");
      continue;
    }
    const auto known =
        std::find_if(addresses.begin(), addresses.end(),
                     [&](const ListenAddress& other) { return collide(other.address, *address); });
    if (known != addresses.end() && known->address == *address) {
      complain(draft, element, "this address is listed twice");
    } else if (known != addresses.end()) {
      complain(draft, element, "this address and another one collide",
               "\"" + known->address.text() + "\" is listed too, and one of them covers the other");
    } else {
      addresses.push_back({*address, false});
    }
  }
  return addresses;
}

// Sets one transport's addresses, unless the file switched it off and the command line or the
// environment only says where to listen: what was switched off stays off.
void set_listen(Draft& draft, std::vector<ListenAddress>& addresses, bool& given,
                const Value& value) {
  std::vector<ListenAddress> parsed = parse_listen(draft, value);
  if (!value.place.in_file() && given && addresses.empty()) return;
  if (value.list.empty()) draft.listen_off = std::max(draft.listen_off, value.place);
  given = true;
  addresses = std::move(parsed);
}

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

void set_listen_udp(Draft& draft, Entry&, const Value& value) {
  set_listen(draft, draft.config.listen.udp, draft.udp_given, value);
}

void set_listen_tcp(Draft& draft, Entry&, const Value& value) {
  set_listen(draft, draft.config.listen.tcp, draft.tcp_given, value);
}

void set_listen_admin(Draft& draft, Entry&, const Value& value) {
  draft.config.listen.admin.reset();
  draft.admin = value.place;
  if (value.text.empty()) return;
  const Text element{value.text, value.place};
  const auto address = SocketAddress::parse(element.text);
  if (!address) return complain_of_address(draft, element, admin_port);
  if (address->port == 0) {
    return complain(draft, element, "port 0 cannot be listened on",
                    "the default is " + std::to_string(admin_port));
  }
  draft.config.listen.admin = ListenAddress{*address, false};
}

void set_policy_allow(Draft& draft, Entry&, const Value& value) {
  draft.config.policy.allow.clear();
  for (const Text& element : value.list) {
    const auto network = Network::parse(element.text);
    if (network) {
      draft.config.policy.allow.push_back(*network);
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

std::string listen_text(const std::vector<ListenAddress>& addresses) {
  std::vector<std::string> texts;
  texts.reserve(addresses.size());
  for (const ListenAddress& listen : addresses) texts.push_back(listen.address.text());
  return toml_list(texts);
}

std::string admin_text(const Config& config) {
  const auto& admin = config.listen.admin;
  return toml_string(admin ? admin->address.text() : "");
}

std::string allow_text(const Config& config) {
  std::vector<std::string> texts;
  texts.reserve(config.policy.allow.size());
  for (const Network& network : config.policy.allow) texts.push_back(network.text());
  return toml_list(texts);
}

LogLevel log_level_of(std::string_view text) {
  for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warning}) {
    if (text == to_text(level)) return level;
  }
  return LogLevel::error;
}

}  // namespace sotto
