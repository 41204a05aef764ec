#include "app/upstream_reader.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "app/option_setters.h"
#include "app/providers.h"
#include "app/text.h"
#include "app/upstream_url.h"

namespace sotto {

namespace {

constexpr std::array<std::string_view, 2> upstreams_standard{"cloudflare", "quad9"};

// Their policies differ, so each is a group of its own, and they are tried in this order.
std::vector<Entry> standard_upstreams(Draft& draft) {
  std::vector<Text> urls;
  for (const std::string_view name : upstreams_standard) urls.push_back({std::string(name), {}});
  std::vector<Entry> entries = upstreams_of(draft, urls);
  for (Entry& entry : entries) entry.upstream.group = entry.upstream.name;
  return entries;
}

// How its connections leave, " from 192.0.2.7 via wg0 with mark 5"; empty if the routing decides.
// endpoint: only what concerns this one.
std::string way_text(const UpstreamConfig& upstream, const SocketAddress* endpoint) {
  std::string text;
  for (const IpAddress& source : upstream.sources) {
    if (endpoint != nullptr && endpoint->ip.is_v4() != source.is_v4()) continue;
    text += (text.empty() ? " from " : " and ") + source.text();
  }
  if (!upstream.interface.empty()) text += " via " + upstream.interface;
  if (upstream.mark != 0) text += " with mark " + std::to_string(upstream.mark);
  return text;
}

// The same server over the same way twice would be asked twice and count as a second path that it
// is not.
void check_duplicates(Draft& draft, const std::vector<Entry>& entries) {
  std::map<std::string, const Entry*> seen;
  const auto known = [&](const Entry& entry, const std::string& url, const std::string& way) {
    const auto [first, added] = seen.emplace(url + way, &entry);
    if (added) return false;
    const std::string where = first->second == &entry
                                  ? "it is listed twice here"
                                  : "it is part of \"" + first->second->upstream.name + "\"";
    complain(draft, {url, entry.places.section}, "duplicate upstream", where);
    return true;
  };
  for (const Entry& entry : entries) {
    const UpstreamConfig& upstream = entry.upstream;
    if (!upstream.host.empty()) {
      known(entry, upstream_url(upstream.host, upstream.port, upstream.auth_name),
            way_text(upstream, nullptr));
    }
    for (const SocketAddress& endpoint : upstream.endpoints) {
      if (known(entry, upstream_url(endpoint, upstream.auth_name), way_text(upstream, &endpoint))) {
        break;
      }
    }
  }
}

// A server that is used over several ways is an upstream for each.
void make_names_unique(std::vector<UpstreamConfig>& upstreams) {
  std::map<std::string, unsigned> uses;
  for (const UpstreamConfig& upstream : upstreams) ++uses[upstream.name];
  for (UpstreamConfig& upstream : upstreams) {
    if (uses[upstream.name] > 1) upstream.name += way_text(upstream, nullptr);
  }
}

// A source that no connection could use is a slip. One of [upstream_default] is for others too.
void check_sources(Draft& draft, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    const auto& endpoints = entry.upstream.endpoints;
    for (const Text& source : entry.places.sources) {
      const auto ip = IpAddress::parse(source.text);
      if (!ip || endpoints.empty()) continue;
      const bool used = std::any_of(
          endpoints.begin(), endpoints.end(),
          [&](const SocketAddress& endpoint) { return endpoint.ip.is_v4() == ip->is_v4(); });
      if (used) continue;
      const std::string family = ip->is_v4() ? "IPv4" : "IPv6";
      complain(draft, source, "this upstream has no " + family + " address to reach from here",
               "add one to its url, or leave the source out");
    }
  }
}

// A link-local address is one on each link. The interface says which, if the zone does not.
void check_zones(Draft& draft, const std::vector<Entry>& entries) {
  constexpr std::string_view what = "a link-local address needs its zone, the interface";
  for (const Entry& entry : entries) {
    if (!entry.upstream.interface.empty()) continue;
    for (const Text& url : entry.places.urls) {
      const auto target = parse_upstream(url.text);
      if (!target || target->endpoints.empty()) continue;
      const IpAddress ip = target->endpoints.front().ip;
      if (!needs_zone(ip)) continue;
      complain(draft, url, what,
               "write tls://[" + ip.text() + "%eth0], or set the upstream's interface");
    }
    for (const Text& source : entry.places.sources) {
      const auto ip = IpAddress::parse(source.text);
      if (!ip || !needs_zone(*ip)) continue;
      complain(draft, source, what,
               "write \"" + ip->text() + "%eth0\", or set the upstream's interface");
    }
  }
}

// A name can be looked up only where it is encrypted, and by a server whose address is known.
void check_bootstrap_path(Draft& draft, const std::vector<Entry>& entries) {
  const bool path = !draft.bootstrap.empty() ||
                    std::any_of(entries.begin(), entries.end(),
                                [](const Entry& entry) { return entry.upstream.host.empty(); });
  if (path) return;
  for (const Entry& entry : entries) {
    const std::string server = entry.places.url.in_file()
                                   ? "bootstrap = [\"tls://ADDRESS#AUTH-NAME\"]"
                                   : "--bootstrap tls://ADDRESS#AUTH-NAME";
    std::string suggestion = "write " + server + ", or add an upstream given by address";
    for (const Provider& provider : providers()) {
      if (entry.upstream.host != provider.auth_name) continue;
      suggestion = "write \"" + std::string(provider.name) + "\", or " + server;
    }
    complain(draft, {entry.upstream.name, entry.places.url},
             "nothing could look up the address of this upstream", suggestion);
  }
}

void finish_bootstrap(Draft& draft) {
  const std::vector<Entry> servers = upstreams_of(draft, draft.bootstrap);
  check_duplicates(draft, servers);
  check_zones(draft, servers);
  for (const Entry& server : servers) {
    if (!server.upstream.host.empty()) {
      complain(draft, {server.upstream.name, server.places.section},
               "a bootstrap server must be given by its address",
               "write tls://ADDRESS#" + server.upstream.auth_name);
    }
    draft.config.bootstrap.push_back(server.upstream);
  }
}

class Groups {
 public:
  explicit Groups(const std::vector<Entry>& upstreams) {
    for (const Entry& entry : upstreams) ++members_[entry.upstream.group];
  }

  // Those of the file. must_be_used: the upstreams are the file's too.
  void add_given(Draft& draft, const std::vector<Entry>& given, bool must_be_used) {
    for (const Entry& entry : given) {
      const std::string& name = entry.group.name;
      if (name.empty()) continue;  // said already
      if (!given_.insert(name).second) {
        complain(draft, {name, entry.places.name}, "this group is there twice",
                 "write one [[group]] for it");
      } else if (members_.contains(name)) {
        check_race(draft, entry);
        groups_.push_back(entry.group);
      } else if (must_be_used) {
        complain(draft, {name, entry.places.name}, "no upstream belongs to this group",
                 suggestion(name));
      }
    }
  }

  // Those that only upstreams name.
  void add_named(const std::vector<Entry>& upstreams) {
    for (const Entry& entry : upstreams) {
      const std::string& name = entry.upstream.group;
      const bool known = std::any_of(groups_.begin(), groups_.end(),
                                     [&](const GroupConfig& group) { return group.name == name; });
      if (!known) groups_.push_back({.name = name});
    }
  }

  std::vector<GroupConfig> take() { return std::move(groups_); }

 private:
  void check_race(Draft& draft, const Entry& entry) const {
    const std::size_t count = members_.at(entry.group.name);
    if (entry.group.selection != Selection::all || count <= race_max) return;
    complain(draft, {"all", entry.places.select},
             "this group has " + std::to_string(count) + " upstreams, too many to ask all",
             "leave at most " + std::to_string(race_max) + ", or write \"fastest\"");
  }

  std::string suggestion(std::string_view name) const {
    std::vector<std::string_view> names;
    for (const auto& [known, count] : members_) names.push_back(known);
    const std::string_view meant = nearest(name, names);
    if (!meant.empty()) return "did you mean \"" + std::string(meant) + "\"?";
    return "write group = \"" + std::string(name) + "\" in the [[upstream]] sections of its own";
  }

  std::map<std::string, std::size_t> members_;  // upstreams of each group
  std::set<std::string> given_;
  std::vector<GroupConfig> groups_;
};

}  // namespace

std::vector<Entry> upstreams_of(Draft& draft, const std::vector<Text>& urls) {
  std::vector<Entry> entries;
  for (const Text& url : urls) {
    Entry& entry = entries.emplace_back(draft.upstream_default);
    entry.places = {};
    entry.places.section = url.place;
    set_upstream_url(draft, entry, Value{.place = url.place, .text = {}, .list = {url}});
  }
  return entries;
}

void finish_upstreams(Draft& draft, GivenUpstreams file,
                      std::optional<std::vector<Entry>> instead) {
  const bool of_file = !instead;
  std::vector<Entry> upstreams = instead ? std::move(*instead) : std::move(file.upstreams);
  if (upstreams.empty()) upstreams = standard_upstreams(draft);
  check_duplicates(draft, upstreams);
  check_sources(draft, upstreams);
  check_zones(draft, upstreams);
  check_bootstrap_path(draft, upstreams);
  finish_bootstrap(draft);

  Groups groups(upstreams);
  groups.add_given(draft, file.groups, of_file);
  groups.add_named(upstreams);
  draft.config.groups = groups.take();
  for (Entry& entry : upstreams) draft.config.upstreams.push_back(std::move(entry.upstream));
  make_names_unique(draft.config.upstreams);
}

}  // namespace sotto
