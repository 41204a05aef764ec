// What the keys of [[upstream]], [[group]] and their like take, and how it is printed.
#include <algorithm>

#include "app/option_setters.h"
#include "app/text.h"
#include "app/upstream_url.h"

namespace sotto {

namespace {

constexpr std::size_t group_name_octets_max = 63;
// IFNAMSIZ of netdevice(7) with its final zero.
constexpr std::size_t interface_octets_max = 15;

bool is_group_name(std::string_view name) {
  const auto known = [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '-' || character == '_' ||
           character == '.';
  };
  return !name.empty() && name.size() <= group_name_octets_max &&
         std::all_of(name.begin(), name.end(), known);
}

// What the kernel takes as the name of an interface.
bool is_interface_name(std::string_view name) {
  const auto known = [](char character) {
    return character > ' ' && character <= '~' && character != '/' && character != ':';
  };
  return name.size() <= interface_octets_max && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), known);
}

// Leaves the name as it is where value is none.
void set_group(Draft& draft, std::string& name, const Value& value) {
  if (is_group_name(value.text)) {
    name = value.text;
  } else {
    complain(draft, {value.text, value.place}, "not a name of a group",
             "write up to 63 letters, digits, hyphens, underscores and dots");
  }
}

// A server that stands for addresses of its own choice, "quad9" or "tls://dns.example".
bool stands_alone(const UpstreamTarget& target) {
  return target.is_provider || !target.host.empty();
}

// As in the file: one text for a provider, a host or one address.
std::vector<std::string> urls_of(const UpstreamConfig& upstream) {
  if (!upstream.provider.empty()) return {upstream.provider};
  if (!upstream.host.empty()) {
    return {upstream_url(upstream.host, upstream.port, upstream.auth_name)};
  }
  std::vector<std::string> urls;
  urls.reserve(upstream.endpoints.size());
  for (const SocketAddress& endpoint : upstream.endpoints) {
    urls.push_back(upstream_url(endpoint, upstream.auth_name));
  }
  return urls;
}

}  // namespace

void set_bootstrap(Draft& draft, Entry&, const Value& value) {
  draft.bootstrap = value.list;
}

void set_group_name(Draft& draft, Entry& entry, const Value& value) {
  set_group(draft, entry.group.name, value);
  entry.places.name = value.place;
}

void set_upstream_url(Draft& draft, Entry& entry, const Value& value) {
  UpstreamConfig& upstream = entry.upstream;
  upstream.endpoints.clear();
  entry.places.url = value.place;
  entry.places.urls = value.list;
  for (const Text& element : value.list) {
    const auto target = parse_upstream(element.text);
    if (!target) {
      complain(draft, element, target.error().what, target.error().suggestion);
      continue;
    }
    if (stands_alone(*target) && value.list.size() > 1) {
      complain(draft, element,
               std::string(target->is_provider ? "a provider's name" : "a host") +
                   " stands for all its addresses and must stand alone",
               "make it an [[upstream]] of its own");
      continue;
    }
    if (upstream.endpoints.empty()) {
      upstream.name = target->text;
      upstream.provider = target->is_provider ? target->text : std::string();
      upstream.host = target->host;
      upstream.port = target->port;
      upstream.auth_name = target->auth_name;
    } else if (upstream.auth_name != target->auth_name) {
      complain(draft, element, "the URLs of one upstream must share the authentication name",
               "make it an [[upstream]] of its own");
      continue;
    }
    upstream.endpoints.insert(upstream.endpoints.end(), target->endpoints.begin(),
                              target->endpoints.end());
  }
  if (value.list.empty()) {
    draft.errors.push_back(
        {value.place, "the list of URLs is empty; write tls://ADDRESS#AUTH-NAME"});
  }
}

void set_upstream_group(Draft& draft, Entry& entry, const Value& value) {
  set_group(draft, entry.upstream.group, value);
}

void set_upstream_pins(Draft& draft, Entry& entry, const Value& value) {
  entry.upstream.pins.clear();
  for (const Text& element : value.list) {
    if (const auto pin = parse_pin(element.text)) {
      entry.upstream.pins.push_back(*pin);
    } else {
      complain(draft, element, "not a pin",
               "write \"sha256/\" and the 44 base64 characters of a public key's SHA-256");
    }
  }
}

void set_upstream_ca_file(Draft& draft, Entry& entry, const Value& value) {
  entry.upstream.ca_file = absolute_path(draft, value);
  draft.ca_files[entry.upstream.ca_file] = value.place;
}

void set_upstream_source(Draft& draft, Entry& entry, const Value& value) {
  std::vector<IpAddress>& sources = entry.upstream.sources;
  sources.clear();
  entry.places.sources = value.list;
  for (const Text& element : value.list) {
    const auto address = IpAddress::parse(element.text);
    if (!address) {
      complain(draft, element, "not an IP address", "write \"192.0.2.1\" or \"2001:db8::1\"");
    } else if (address->is_unspecified()) {
      complain(draft, element, "the unspecified address is nobody's",
               "leave it out, and the routing decides");
    } else if (std::any_of(sources.begin(), sources.end(), [&](const IpAddress& other) {
                 return other.is_v4() == address->is_v4();
               })) {
      complain(draft, element,
               std::string("a second IPv") + (address->is_v4() ? "4" : "6") + " address",
               "write at most one of each family");
    } else {
      sources.push_back(*address);
    }
  }
}

void set_upstream_interface(Draft& draft, Entry& entry, const Value& value) {
  entry.upstream.interface = value.text;
  if (is_interface_name(value.text)) return;
  complain(draft, {value.text, value.place}, "not a name of a network interface",
           "write one that ip link shows, such as \"wg0\"");
}

void set_health_name(Draft& draft, Entry&, const Value& value) {
  if (const auto name = name_from_text(value.text)) {
    draft.config.health.probe_name = *name;
  } else {
    complain(draft, {value.text, value.place}, "not a domain name",
             "write \".\" or \"example.com\"");
  }
}

std::string bootstrap_text(const Config& config) {
  std::vector<std::string> texts;
  for (const UpstreamConfig& server : config.bootstrap) texts.push_back(urls_of(server).front());
  return toml_list(texts);
}

std::string url_text(const UpstreamConfig& upstream) {
  const std::vector<std::string> urls = urls_of(upstream);
  return urls.size() == 1 ? toml_string(urls.front()) : toml_list(urls);
}

std::string pins_text(const UpstreamConfig& upstream) {
  std::vector<std::string> texts;
  texts.reserve(upstream.pins.size());
  for (const SpkiPin& pin : upstream.pins) texts.push_back("sha256/" + base64(pin));
  return toml_list(texts);
}

std::string sources_text(const UpstreamConfig& upstream) {
  std::vector<std::string> texts;
  texts.reserve(upstream.sources.size());
  for (const IpAddress& source : upstream.sources) texts.push_back(source.text());
  return toml_list(texts);
}

Selection selection_of(std::string_view text) {
  for (const Selection selection :
       {Selection::order, Selection::random, Selection::hash, Selection::all}) {
    if (text == to_text(selection)) return selection;
  }
  return Selection::fastest;
}

}  // namespace sotto
