#include "app/listen_reader.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "app/option_setters.h"
#include "app/text.h"

namespace sotto {

namespace {

// Neither root nor mDNS's 5353 is needed for these.
constexpr std::array<std::string_view, 2> listen_standard{"127.0.0.1:5053", "[::1]:5053"};
constexpr std::string_view admin_standard = "127.0.0.1:9053";
constexpr std::uint16_t admin_port = 9'053;

constexpr std::size_t path_octets_max = 255;

// As systemd calls what it passes on.
constexpr std::string_view inherited_source = "LISTEN_FDS";

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

// hint: what to say of port 0.
std::optional<SocketAddress> parse_address(Draft& draft, const Text& element, std::uint16_t port,
                                           const std::string& hint) {
  const auto address = SocketAddress::parse(element.text);
  if (!address) {
    complain_of_address(draft, element, port);
    return {};
  }
  if (address->port == 0) {
    complain(draft, element, "port 0 cannot be listened on", hint + std::to_string(port));
    return {};
  }
  if (needs_zone(address->ip)) {
    complain(draft, element, "a link-local address needs its zone, the interface",
             "write \"[" + address->ip.text() + "%eth0]:" + std::to_string(address->port) + "\"");
    return {};
  }
  return *address;
}

// False, with an error, if one that is known has or covers this address.
bool is_free(Draft& draft, const Text& element, const SocketAddress& address,
             const std::vector<ListenAddress>& known) {
  const auto other = std::find_if(known.begin(), known.end(), [&](const ListenAddress& one) {
    return collide(one.address, address);
  });
  if (other == known.end()) return true;
  if (other->address == address) {
    complain(draft, element, "this address is listed twice");
  } else {
    complain(draft, element, "this address and another one collide",
             "\"" + other->address.text() + "\" is listed too, and one of them covers the other");
  }
  return false;
}

const Text* find_key(const Entry& entry, std::string_view key) {
  const auto& keys = entry.places.keys;
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const Text& one) { return one.text == key; });
  return found == keys.end() ? nullptr : &*found;
}

// Whether the keys of a table are for this transport, and for each other.
void check_keys(Draft& draft, const ListenTransport& transport, const Entry& entry) {
  const std::string name = "listen." + std::string(transport.name);
  for (const std::string_view key : {"client_ca", "client_certificate"}) {
    const Text* given = find_key(entry, key);
    if (given == nullptr || transport.encrypted) continue;
    complain(draft, *given, "this key does not fit " + name,
             "certificates of clients are for listen.tls and listen.https");
  }
  if (const Text* path = find_key(entry, "path"); path != nullptr && !transport.http) {
    complain(draft, *path, "this key does not fit " + name, "a path is for listen.https");
  }
  const Text* certificate = find_key(entry, "client_certificate");
  if (certificate != nullptr && transport.encrypted && find_key(entry, "client_ca") == nullptr) {
    complain(draft, *certificate, "this key needs client_ca",
             "name the file of the authorities that clients' certificates are checked against");
  }
}

struct Listened {
  std::vector<ListenAddress> addresses;
  std::vector<Place> places;
};

Listened parse_listen(Draft& draft, const ListenTransport& transport, const Value& value) {
  const std::string hint = "the port of " + std::string(transport.protocol) + " is ";
  Listened listened;
  for (std::size_t at = 0; at < value.list.size(); ++at) {
    const Text& element = value.list[at];
    ListenAddress listen;
    if (const auto table = value.tables.find(at); table != value.tables.end()) {
      check_keys(draft, transport, table->second);
      listen = table->second.listen;
    }
    const auto address = parse_address(draft, element, transport.port, hint);
    if (!address || !is_free(draft, element, *address, listened.addresses)) continue;
    listen.address = *address;
    listened.addresses.push_back(std::move(listen));
    listened.places.push_back(element.place);
  }
  return listened;
}

bool is_path_octet(char octet) {
  return octet > ' ' && octet <= '~' && octet != '?' && octet != '#';
}

// What belongs to an address but the address.
bool same_settings(const ListenAddress& one, const ListenAddress& other) {
  return one.proxy_from == other.proxy_from && one.client_ca == other.client_ca &&
         one.client_certificate_required == other.client_certificate_required &&
         one.path == other.path;
}

ListenAddress default_address(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  assert(address.has_value());
  ListenAddress listen;
  listen.address = *address;
  listen.is_default = true;
  return listen;
}

// A transport that nothing was said about follows the other one, or listens on the default.
void finish_plain(Draft& draft) {
  auto& udp = draft.config.listen.udp;
  auto& tcp = draft.config.listen.tcp;
  std::vector<ListenAddress> standard;
  for (const std::string_view text : listen_standard) standard.push_back(default_address(text));
  const bool udp_given = draft.listen_places.contains("udp");
  const bool tcp_given = draft.listen_places.contains("tcp");
  if (!udp_given && !tcp_given) {
    udp = tcp = standard;
  } else if (!udp_given) {
    udp = tcp.empty() ? standard : tcp;
  } else if (!tcp_given) {
    tcp = udp.empty() ? standard : udp;
    if (!udp.empty()) draft.listen_places["tcp"] = draft.listen_places["udp"];
  }
}

// The settings that an inherited socket takes from what is configured for its transport: those of
// its address, else those that all have. Never a guess: a listener may be open without its own.
ListenAddress with_settings(Draft& draft, const ListenTransport& transport,
                            const std::vector<ListenAddress>& configured,
                            const SocketAddress& address) {
  ListenAddress listen;
  const auto own = std::find_if(configured.begin(), configured.end(),
                                [&](const ListenAddress& one) { return one.address == address; });
  if (own != configured.end()) {
    listen = *own;
  } else if (!configured.empty()) {
    listen = configured.front();
    if (!std::all_of(configured.begin(), configured.end(),
                     [&](const ListenAddress& one) { return same_settings(one, listen); })) {
      const std::string name = "listen." + std::string(transport.name);
      complain(draft, {address.text(), Place{std::string(inherited_source)}},
               "no element of " + name + " has the address of this socket",
               "add one, so that it is known which settings are meant for it");
    }
  }
  listen.address = address;
  listen.is_default = false;
  return listen;
}

void take_inherited(Draft& draft, const std::vector<InheritedAddress>& inherited) {
  for (const ListenTransport& transport : listen_transports) {
    std::vector<ListenAddress>& addresses = draft.config.listen.*transport.addresses;
    std::vector<ListenAddress> taken;
    for (const InheritedAddress& socket : inherited) {
      if (socket.transport != transport.name) continue;
      taken.push_back(with_settings(draft, transport, addresses, socket.address));
    }
    if (taken.empty()) continue;
    const Place place{std::string(inherited_source)};
    draft.listen_places[transport.name].assign(taken.size(), place);
    addresses = std::move(taken);
  }
  for (const InheritedAddress& socket : inherited) {
    if (socket.transport != admin_listener) continue;
    draft.config.listen.admin.emplace().address = socket.address;
    draft.admin = Place{std::string(inherited_source)};
  }
}

// Addresses of different lists cannot be shared, but for datagrams and streams.
void check_collisions(Draft& draft) {
  const Config::Listen& listen = draft.config.listen;
  struct Known {
    const ListenAddress* listen;
    std::string_view transport;
  };
  std::vector<Known> known;
  for (const ListenTransport& transport : listen_transports) {
    if (!transport.stream) continue;
    const std::size_t before = known.size();
    const auto& addresses = listen.*transport.addresses;
    const auto& places = draft.listen_places[transport.name];
    for (std::size_t at = 0; at < addresses.size(); ++at) {
      for (std::size_t i = 0; i < before; ++i) {
        if (!collide(known[i].listen->address, addresses[at].address)) continue;
        const Place place = at < places.size() ? places[at] : Place{};
        complain(draft, {addresses[at].address.text(), place},
                 "this address and one of listen." + std::string(known[i].transport) + " collide",
                 "\"" + known[i].listen->address.text() + "\" is listed there; change a port");
      }
      known.push_back({&addresses[at], transport.name});
    }
  }
  if (!listen.admin || listen.admin->is_default) return;
  for (const Known& other : known) {
    if (!collide(other.listen->address, listen.admin->address)) continue;
    complain(draft, {listen.admin->address.text(), draft.admin},
             "this address and one of listen." + std::string(other.transport) + " collide",
             "\"" + other.listen->address.text() + "\" answers DNS; give admin another port");
  }
}

std::string element_text(const ListenAddress& listen) {
  Entry entry;
  entry.listen = listen;
  std::string table;
  std::size_t keys = 0;
  for (const Option& option : options()) {
    if (!option.of_listener()) continue;
    const std::string value = option.print({}, entry);
    if (value == option.standard) continue;
    table += (keys++ == 0 ? "{ " : ", ") + std::string(option.leaf()) + " = " + value;
  }
  return keys > 1 ? table + " }" : toml_string(listen.address.text());
}

}  // namespace

const ListenTransport* find_listen_transport(std::string_view name) {
  const auto found = std::find_if(listen_transports.begin(), listen_transports.end(),
                                  [&](const ListenTransport& one) { return one.name == name; });
  return found == listen_transports.end() ? nullptr : &*found;
}

void begin_listen(Draft& draft) {
  draft.config.listen.admin = default_address(admin_standard);
}

// Unless the file switched the transport off and the command line or the environment only says
// where to listen: what was switched off stays off.
void set_listen(Draft& draft, std::string_view name, const Value& value) {
  const ListenTransport* transport = find_listen_transport(name);
  assert(transport != nullptr && "a row of [listen] without a transport");
  Listened listened = parse_listen(draft, *transport, value);
  auto& addresses = draft.config.listen.*transport->addresses;
  const bool given = draft.listen_places.contains(transport->name);
  if (!value.place.in_file() && given && addresses.empty()) return;
  if (value.list.empty()) draft.listen_off = std::max(draft.listen_off, value.place);
  addresses = std::move(listened.addresses);
  draft.listen_places[transport->name] = std::move(listened.places);
}

void set_listen_admin(Draft& draft, Entry&, const Value& value) {
  draft.config.listen.admin.reset();
  draft.admin = value.place;
  if (value.text.empty()) return;
  const auto address =
      parse_address(draft, {value.text, value.place}, admin_port, "the default is ");
  if (address) draft.config.listen.admin.emplace().address = *address;
}

void set_listener_address(Draft&, Entry& entry, const Value& value) {
  entry.places.address = {value.text, value.place};
}

void set_listener_proxy_from(Draft& draft, Entry& entry, const Value& value) {
  entry.listen.proxy_from = parse_networks(draft, value.list);
}

void set_listener_client_ca(Draft& draft, Entry& entry, const Value& value) {
  entry.listen.client_ca = absolute_path(draft, value);
  if (entry.listen.client_ca.empty()) {
    draft.errors.push_back({value.place, "client_ca is empty; name a file, or leave it out"});
  } else {
    draft.client_cas[entry.listen.client_ca] = value.place;
  }
}

void set_listener_path(Draft& draft, Entry& entry, const Value& value) {
  entry.listen.path = value.text;
  const Text element{value.text, value.place};
  if (value.text.find('{') != std::string::npos) {
    complain(draft, element, "a path is not a URI template", "write \"/dns-query\"");
  } else if (!value.text.starts_with('/') ||
             !std::all_of(value.text.begin(), value.text.end(), is_path_octet)) {
    complain(draft, element, "not a path",
             "it begins with \"/\" and has no blank, \"?\" or \"#\", such as \"/dns-query\"");
  } else if (value.text.size() > path_octets_max) {
    complain(draft, element, "this path is too long",
             "it may have " + std::to_string(path_octets_max) + " octets");
  }
}

std::string listen_text(const std::vector<ListenAddress>& addresses) {
  std::string text;
  for (const ListenAddress& listen : addresses) {
    text += (text.empty() ? "" : ", ") + element_text(listen);
  }
  return "[" + text + "]";
}

std::string admin_text(const Config& config) {
  const auto& admin = config.listen.admin;
  return toml_string(admin ? admin->address.text() : "");
}

void finish_listen(Draft& draft, const std::vector<InheritedAddress>& inherited) {
  finish_plain(draft);
  take_inherited(draft, inherited);
  const Config::Listen& listen = draft.config.listen;
  const bool nothing =
      std::all_of(listen_transports.begin(), listen_transports.end(),
                  [&](const ListenTransport& one) { return (listen.*one.addresses).empty(); });
  if (nothing && draft.errors.empty()) {
    draft.errors.push_back({draft.listen_off,
                            "udp, tcp, tls and https are all switched off; give one of them an "
                            "address"});
  }
  check_collisions(draft);
}

}  // namespace sotto
