// One worker: a thread with an event loop of its own, and everything between its sockets and its
// upstream connections. Workers share only what is handed to them as shared. Test:
// tests/integration.
#pragma once

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/config.h"
#include "app/stream_log.h"
#include "app/upstream_log.h"
#include "app/worker_watch.h"
#include "base/random.h"
#include "cache/cache.h"
#include "forwarder/forwarder.h"
#include "forwarder/turn.h"
#include "frontend/stream_io.h"
#include "frontend/udp_io.h"
#include "transport/loop_io.h"
#include "upstream/backoff.h"
#include "upstream/exchanges.h"
#include "upstream/link_io.h"
#include "upstream/pool.h"

namespace sotto {

// What all workers share; the cache is found in without a lock, the others are off the query path.
struct SharedState {
  // cache_octets: the cache's budget.
  explicit SharedState(std::size_t cache_octets) : cache(cache_octets, monotonic_now(), random) {}

  TlsTicketStore tickets;
  BackoffRegistry backoffs;
  Random random;
  Cache cache;
};

// The snapshot a worker applies.
struct WorkerConfig {
  PoolSpec pool;
  Duration query_timeout{};
  ForwarderPolicy policy;
  Config::Tcp tcp;
  std::shared_ptr<const TlsServerCredentials> server_tls;  // null: nothing encrypted is served
  std::map<std::string, std::shared_ptr<const TlsTrust>> client_trust;  // by client_ca
};

// Bound sockets for one worker.
struct WorkerSockets {
  struct Bound {
    UniqueFd fd;
    ListenAddress listen;
  };
  std::vector<Bound> udp;
  std::vector<Bound> tcp;
  std::vector<Bound> tls;
  std::vector<Bound> https;
};

// Queries in progress at a stop get the time they would have had anyway, and a little more for
// their answers to leave; but service managers do not wait for ever.
inline constexpr Duration drain_margin = std::chrono::milliseconds{500};
inline constexpr Duration drain_timeout_max = std::chrono::seconds{8};

class Worker {
 public:
  // shared and log outlive the worker. Takes effect with start().
  Worker(SharedState& shared, Log& log, WorkerSockets sockets,
         std::shared_ptr<const WorkerConfig> config);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  // Thread-safe; takes effect in the worker's next turn.
  void apply(std::shared_ptr<const WorkerConfig> config);
  // The host's links, addresses or routes may be others now. Thread-safe.
  void on_network_change();
  // The wall clock was set. Thread-safe.
  void on_clock_change();
  // Takes no more queries, finishes those in progress, then ends the thread. Thread-safe.
  void drain();
  bool stopped() const { return stopped_.load(); }
  void join();

  // What it has counted and knows: made in its next turn. Thread-safe.
  std::future<WorkerReport> report();

  // Written by the worker's thread, readable by any.
  const ForwarderCounters& counters() const { return counters_; }
  const UpstreamCounters& upstream_counters() const { return upstream_counters_; }
  const StreamCountersByTransport& stream_counters() const { return stream_counters_; }
  std::uint64_t udp_queries() const { return udp_counters_.queries.value(); }
  std::uint64_t udp_unsent() const;
  std::uint64_t udp_headers_refused() const;

 private:
  void adopt(const WorkerConfig& config);
  Instant end_turn();
  void stop();
  bool drained() const;
  WorkerReport make_report() const;

  Loop loop_;
  Random random_;
  ForwarderCounters counters_;
  UpstreamCounters upstream_counters_;
  TransportCounters udp_counters_;
  StreamCountersByTransport stream_counters_;
  UpstreamLog upstream_log_;
  StreamLog stream_log_;
  TlsLinkOpener opener_;
  Pool pool_;
  Exchanges exchanges_;
  Forwarder forwarder_;
  Turn turn_;
  std::vector<std::unique_ptr<UdpFrontend>> udp_;
  StreamFrontend streams_;
  Instant drain_until_ = never;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace sotto
