#include "app/pool_spec.h"

#include <algorithm>

namespace sotto {

namespace {

LocalEnd local_end(const UpstreamConfig& config, const IpAddress& peer) {
  LocalEnd local{.source = {}, .interface = config.interface, .mark = config.mark};
  for (const IpAddress& source : config.sources) {
    if (source.is_v4() == peer.is_v4()) local.source = source;
  }
  return local;
}

// RFC 8305 §4: the families take turns, IPv6 first, so that one without a path costs one attempt.
std::vector<SocketAddress> endpoints_of_host(std::vector<IpAddress> addresses, std::uint16_t port) {
  const auto v4 = std::stable_partition(addresses.begin(), addresses.end(),
                                        [](const IpAddress& ip) { return !ip.is_v4(); });
  std::vector<SocketAddress> endpoints;
  endpoints.reserve(addresses.size());
  const auto take = [&](auto& from, auto end) {
    if (from != end) endpoints.push_back({*from++, port});
  };
  auto next_v6 = addresses.begin();
  auto next_v4 = v4;
  for (std::size_t turn = 0; turn < addresses.size(); ++turn) {
    take(next_v6, v4);
    take(next_v4, addresses.end());
  }
  return endpoints;
}

UpstreamSpec upstream_spec(const UpstreamConfig& config, const TrustOfFiles& trust,
                           const std::vector<SocketAddress>& endpoints) {
  UpstreamSpec spec{.name = config.name,
                    .endpoints = {},
                    .idle_timeout = config.idle_timeout,
                    .keep_warm = config.keep_warm,
                    .padding = config.padding};
  for (const SocketAddress& endpoint : endpoints) {
    spec.endpoints.push_back({.identity = {endpoint, config.auth_name, config.pins, config.ca_file},
                              .trust = trust.at(config.ca_file),
                              .local = local_end(config, endpoint.ip)});
  }
  return spec;
}

HealthSpec health_spec(const Config::Health& health) {
  return {.probe_name = health.probe_name, .probe_interval = health.probe_interval};
}

}  // namespace

PoolSpec pool_spec(const Config& config, const TrustOfFiles& trust,
                   const HostAddresses& addresses) {
  PoolSpec spec{
      .groups = {}, .hedge_percent = config.hedge_percent, .health = health_spec(config.health)};
  for (const GroupConfig& group : config.groups) {
    GroupSpec& made = spec.groups.emplace_back();
    made.name = group.name;
    made.selection = group.selection;
    for (const UpstreamConfig& upstream : config.upstreams) {
      if (upstream.group != group.name) continue;
      const auto known = addresses.find(upstream.host);
      const bool looked_up = !upstream.host.empty() && known != addresses.end();
      made.upstreams.push_back(upstream_spec(
          upstream, trust,
          looked_up ? endpoints_of_host(known->second, upstream.port) : upstream.endpoints));
    }
  }
  return spec;
}

PoolSpec bootstrap_spec(const Config& config, const TrustOfFiles& trust) {
  // Each is asked too rarely to keep a connection.
  const auto seldom = [&](const UpstreamConfig& server) {
    UpstreamSpec made = upstream_spec(server, trust, server.endpoints);
    made.keep_warm = Duration{0};
    return made;
  };
  PoolSpec spec{.groups = {}, .hedge_percent = 0, .health = {}};
  if (!config.bootstrap.empty()) {
    GroupSpec& servers = spec.groups.emplace_back();
    servers.name = "bootstrap";
    for (const UpstreamConfig& server : config.bootstrap)
      servers.upstreams.push_back(seldom(server));
    return spec;
  }
  for (const GroupConfig& group : config.groups) {
    GroupSpec made{.name = group.name, .selection = group.selection, .upstreams = {}};
    for (const UpstreamConfig& upstream : config.upstreams) {
      if (upstream.group == group.name && upstream.host.empty()) {
        made.upstreams.push_back(seldom(upstream));
      }
    }
    if (!made.upstreams.empty()) spec.groups.push_back(std::move(made));
  }
  return spec;
}

}  // namespace sotto
