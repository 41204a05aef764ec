// The workers of a running sotto, and how a configuration reaches them.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/background.h"
#include "app/cache_keeper.h"
#include "app/config_source.h"
#include "app/discovery.h"
#include "app/file_calls.h"
#include "app/health.h"
#include "app/logging.h"
#include "app/worker.h"
#include "app/worker_watch.h"

namespace sotto {

struct LookupTotals;

class Server final : private BackgroundEvents {
 public:
  // log outlives the server. Does not start yet.
  Server(Log& log, LoadedConfig loaded, std::vector<WorkerSockets> sockets);

  void start();
  // Reads the configuration anew and applies what can change while running; a wrong one changes
  // nothing and is reported in the log.
  void reload(const ConfigSource& source);
  // Begins to stop: queries in progress are finished.
  void drain();
  bool stopped() const;
  // Thread-safe.
  ServingPhase phase() const { return phase_.load(); }
  // For as long as the server lives.
  std::vector<WatchedWorker> watched_workers() const;
  Cache& cache() { return shared_.cache; }
  CacheKeeper& cache_keeper() { return cache_keeper_; }
  // What encrypted listeners show now, in the order of the configuration. Thread-safe.
  std::vector<ServerCertificate> certificates() const;
  // Of all workers together. Thread-safe.
  LookupTotals lookups() const;
  // Waits for the workers and says what they did.
  void join();
  // After that: begins to save the cache and what the background keeps.
  void save();
  bool saved() const { return cache_keeper_.stopped() && background_.stopped(); }

 private:
  // BackgroundEvents
  void on_addresses(const HostAddresses& addresses) override;
  void on_network_change() override;
  void on_clock_change() override;
  void on_server_tls(ServerTls tls) override;

  bool refresh_discovery();
  std::shared_ptr<const WorkerConfig> worker_config() const;
  BackgroundConfig background_config() const;
  void apply_to_workers();
  void apply_to_cache();

  Log& log_;
  mutable std::mutex mutex_;  // of the next three, once the background runs: it changes them
  LoadedConfig loaded_;
  HostAddresses addresses_;         // of upstreams given by name, as far as they are known
  const Config::Listen listening_;  // for TLS and HTTPS, until the end
  Discovery discovery_;
  const Config started_with_;  // in force where a change needs a restart
  SharedState shared_;
  FileCalls file_calls_;
  CacheKeeper cache_keeper_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<ServingPhase> phase_{ServingPhase::starting};
  Background background_;
};

}  // namespace sotto
