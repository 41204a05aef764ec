// What happens off the query path, on one thread with a loop of its own: the addresses of upstreams
// given by name are looked up, changes of the network and of the clock are noticed, session tickets
// and addresses are kept on disk, certificates are taken up when they change. See
// doc/decisions/0021.
// Test: tests/integration/test_bootstrap.py, test_tickets.py, test_network_changes.py.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/address_file_io.h"
#include "app/bootstrap.h"
#include "app/certificate_keeper.h"
#include "app/file_calls.h"
#include "app/logging.h"
#include "app/ticket_file_io.h"
#include "app/upstream_log.h"
#include "app/worker.h"
#include "base/random.h"
#include "transport/clock_watch_io.h"
#include "transport/loop_io.h"
#include "transport/network_watch_io.h"
#include "upstream/exchanges.h"
#include "upstream/link_io.h"
#include "upstream/pool.h"

namespace sotto {

// Called on the background thread.
class BackgroundEvents {
 public:
  // Of all hosts that have any.
  virtual void on_addresses(const HostAddresses& addresses) = 0;
  virtual void on_network_change() = 0;
  virtual void on_clock_change() = 0;
  // Files of the encrypted listeners hold something else now.
  virtual void on_server_tls(ServerTls tls) = 0;

 protected:
  ~BackgroundEvents() = default;
};

// What may change while it runs.
struct BackgroundConfig {
  std::vector<std::string> hosts;  // whose addresses are wanted
  PoolSpec bootstrap;              // whom to ask for them
  ServerTls server_tls;            // in use
};

class Background final : public BootstrapEvents {
 public:
  // All outlive it; shared and log as of a worker. ticket_file, state_directory: empty for none.
  Background(SharedState& shared, Log& log, FileCalls& calls, BackgroundEvents& events,
             const std::string& ticket_file, const std::string& state_directory);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Before the first connection: takes up the tickets, and returns the addresses known from before.
  HostAddresses load();
  void start(BackgroundConfig config);
  // Thread-safe, as are the next.
  void apply(BackgroundConfig config);
  // A clean stop, after that of the workers: saves what there is to save. Does not wait.
  void stop();
  bool stopped() const { return stopped_.load(); }

  // BootstrapEvents
  void on_bootstrap(const BootstrapEvent& event) override;

 private:
  void adopt(BackgroundConfig config);
  void open_watches();
  void on_network_change();
  void on_clock_change();
  Instant end_turn();
  void finish();

  Log& log_;
  BackgroundEvents& events_;
  Loop loop_;
  Random random_;
  UpstreamCounters counters_;
  UpstreamLog upstream_log_;
  TlsLinkOpener opener_;
  Pool pool_;
  Exchanges exchanges_;
  Bootstrap bootstrap_;
  TicketKeeper tickets_;
  AddressKeeper addresses_;
  CertificateKeeper certificates_;
  HostAddresses known_;                                      // of every host ever found
  std::map<std::string, std::string, std::less<>> failing_;  // told reason, by host
  std::unique_ptr<NetworkWatch> network_watch_;
  std::unique_ptr<ClockWatch> clock_watch_;
  Instant exchanges_deadline_ = never;
  std::atomic<bool> stopped_{true};
  std::thread thread_;
};

}  // namespace sotto
