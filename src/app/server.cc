#include "app/server.h"

#include <algorithm>
#include <utility>

#include "app/cache_control.h"
#include "app/pool_spec.h"
#include "app/totals.h"
#include "transport/host_addresses_io.h"
#include "transport/socket_io.h"

namespace sotto {
namespace {

// Connections are kept across a reload unless what they were authenticated with has changed.
void keep_unchanged_trust(const LoadedConfig& running, LoadedConfig& loaded) {
  for (auto& [file, trust] : loaded.trust) {
    const auto known = running.trust.find(file);
    if (known != running.trust.end() && known->second->fingerprint() == trust->fingerprint()) {
      trust = known->second;
    }
  }
}

std::uint32_t whole_seconds(std::chrono::seconds seconds) {
  return static_cast<std::uint32_t>(seconds.count());
}

TtlRules to_rules(const Config::Cache& config) {
  return {.ttl_min = whole_seconds(config.ttl_min),
          .ttl_max = whole_seconds(config.ttl_max),
          .negative_ttl_max = whole_seconds(config.negative_ttl_max)};
}

std::vector<ServerCertificate> certificates_of(const ServerTls& tls) {
  return tls.credentials != nullptr ? tls.credentials->certificates()
                                    : std::vector<ServerCertificate>();
}

// A socket that a service manager opened on [::] may stand for 0.0.0.0, too.
std::vector<ListenAddress> listening_on(const std::vector<WorkerSockets::Bound>& sockets) {
  std::vector<ListenAddress> listeners;
  for (const WorkerSockets::Bound& one : sockets) {
    listeners.push_back(one.listen);
    const bool all = one.listen.address.ip.is_unspecified();
    if (!all || !takes_both_families(one.fd.get())) continue;
    listeners.push_back(one.listen);
    listeners.back().address.ip = IpAddress();
  }
  return listeners;
}

// All workers have the same.
Config::Listen encrypted_listeners(const std::vector<WorkerSockets>& sockets) {
  Config::Listen listen;
  listen.tls = listening_on(sockets.front().tls);
  listen.https = listening_on(sockets.front().https);
  return listen;
}

}  // namespace

Server::Server(Log& log, LoadedConfig loaded, std::vector<WorkerSockets> sockets)
    : log_(log),
      loaded_(std::move(loaded)),
      listening_(encrypted_listeners(sockets)),
      discovery_(log),
      started_with_(loaded_.config),
      shared_(loaded_.config.cache.size_octets),
      cache_keeper_(log, shared_.cache, loaded_.config.cache.file, to_rules(loaded_.config.cache),
                    file_calls_),
      background_(shared_, log, file_calls_, *this, loaded_.config.tls.ticket_file,
                  loaded_.config.state_directory) {
  apply_to_cache();
  addresses_ = background_.load();
  refresh_discovery();
  const auto config = worker_config();
  for (WorkerSockets& own : sockets) {
    workers_.push_back(std::make_unique<Worker>(shared_, log_, std::move(own), config));
  }
}

// True if what is announced has changed.
bool Server::refresh_discovery() {
  if (listening_.tls.empty() && listening_.https.empty()) return false;
  return discovery_.refresh(loaded_.config.discovery, listening_,
                            certificates_of(loaded_.server_tls), host_addresses());
}

std::shared_ptr<const WorkerConfig> Server::worker_config() const {
  const Config& config = loaded_.config;
  auto snapshot = std::make_shared<WorkerConfig>();
  snapshot->pool = pool_spec(config, loaded_.trust, addresses_);
  snapshot->query_timeout = config.query_timeout;
  snapshot->policy = {.allow = config.policy.allow,
                      .allow_verified = config.policy.allow_verified,
                      .names = SpecialNames({.special_use = config.policy.special_use_names,
                                             .test = config.policy.test_name,
                                             .designated = discovery_.resolver()}),
                      .ttl = to_rules(config.cache),
                      .prefetch_percent = config.cache.prefetch_percent};
  snapshot->tcp = config.tcp;
  snapshot->server_tls = loaded_.server_tls.credentials;
  snapshot->client_trust = loaded_.server_tls.client_trust;
  return snapshot;
}

BackgroundConfig Server::background_config() const {
  BackgroundConfig config;
  config.server_tls = loaded_.server_tls;
  for (const UpstreamConfig& upstream : loaded_.config.upstreams) {
    if (!upstream.host.empty()) config.hosts.push_back(upstream.host);
  }
  if (!config.hosts.empty()) config.bootstrap = bootstrap_spec(loaded_.config, loaded_.trust);
  return config;
}

// Under the mutex, so that the newest is applied last.
void Server::apply_to_workers() {
  const auto config = worker_config();
  for (const auto& worker : workers_) worker->apply(config);
}

void Server::on_addresses(const HostAddresses& addresses) {
  const std::lock_guard lock(mutex_);
  addresses_ = addresses;
  apply_to_workers();
}

void Server::on_network_change() {
  {
    const std::lock_guard lock(mutex_);
    if (refresh_discovery()) apply_to_workers();
  }
  for (const auto& worker : workers_) worker->on_network_change();
}

void Server::on_clock_change() {
  for (const auto& worker : workers_) worker->on_clock_change();
}

void Server::on_server_tls(ServerTls tls) {
  const std::lock_guard lock(mutex_);
  // A reload has come in between, and named other files.
  if (tls.files != loaded_.server_tls.files) return;
  loaded_.server_tls = std::move(tls);
  refresh_discovery();
  apply_to_workers();
}

std::vector<ServerCertificate> Server::certificates() const {
  const std::lock_guard lock(mutex_);
  return certificates_of(loaded_.server_tls);
}

void Server::apply_to_cache() {
  shared_.cache.set_stale_max_age(loaded_.config.cache.stale_max_age);
  cache_keeper_.set_save_interval(loaded_.config.cache.save_interval);
}

void Server::start() {
  for (const auto& worker : workers_) worker->start();
  cache_keeper_.start();
  background_.start(background_config());
  phase_ = ServingPhase::serving;
}

void Server::save() {
  cache_keeper_.stop();
  background_.stop();
}

void Server::reload(const ConfigSource& source) {
  auto loaded = source.load();
  if (!loaded) {
    for (const ConfigError& error : loaded.error()) {
      log_.error("config.error", error.text());
    }
    log_.error("config.kept", "the new configuration is wrong; the old one stays in force");
    return;
  }
  for (const std::string& key : restart_needed(started_with_, loaded->config)) {
    log_.warning("config.restart", "a change needs a restart", {{"key", key}});
  }
  keep_unchanged_trust(loaded_, *loaded);
  const std::lock_guard lock(mutex_);
  keep_in_use(loaded_.server_tls, loaded->server_tls);
  loaded_ = std::move(*loaded);
  log_.set_level(loaded_.config.log.level);
  refresh_discovery();
  apply_to_cache();
  apply_to_workers();
  background_.apply(background_config());
  log_.info("config.reloaded", "configuration applied", {{"file", loaded_.file}});
}

void Server::drain() {
  phase_ = ServingPhase::draining;
  for (const auto& worker : workers_) worker->drain();
}

bool Server::stopped() const {
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& worker) { return worker->stopped(); });
}

std::vector<WatchedWorker> Server::watched_workers() const {
  std::vector<WatchedWorker> watched;
  for (const auto& worker : workers_) {
    watched.push_back({.ask = [&one = *worker] { return one.report(); },
                       .ended = [&one = *worker] { return one.stopped(); }});
  }
  return watched;
}

void Server::join() {
  for (const auto& worker : workers_) worker->join();
  log_totals(log_, workers_);
}

LookupTotals Server::lookups() const {
  LookupTotals totals;
  for (const auto& worker : workers_) {
    const ForwarderCounters& counters = worker->counters();
    totals.hits += counters.hits.value();
    totals.misses += counters.misses.value();
    totals.stale += counters.stale.value();
    totals.prefetched += counters.prefetched.value();
    totals.rechecked += counters.rechecked.value();
    totals.failures_held += counters.failures_held.value();
  }
  return totals;
}

}  // namespace sotto
