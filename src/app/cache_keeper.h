// Keeps the cache across restarts: a thread that fills it from its file while workers already
// answer, then writes the file now and then and at a clean stop. See doc/decisions/0015.
// Tests: tests/unit/app/cache_keeper_test.cc, tests/integration/test_snapshot.py.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "app/cache_file_io.h"
#include "app/logging.h"
#include "base/clock.h"
#include "cache/cache.h"
#include "cache/ttl_rules.h"

namespace sotto {

class CacheKeeper {
 public:
  // How long it works before a pause, and how long that is: on one CPU it takes a third at most. It
  // has the workers' priority: a thread below them that held a shard's lock would make them wait
  // for whatever has priority over it.
  static constexpr Duration work = std::chrono::microseconds{500};
  static constexpr Duration pause = std::chrono::milliseconds{1};

  // All outlive the keeper. path: empty to keep nothing. rules: for what is read.
  CacheKeeper(Log& log, Cache& cache, std::string path, const TtlRules& rules, FileCalls& calls);
  // Without a clean stop before, nothing is written.
  ~CacheKeeper();
  CacheKeeper(const CacheKeeper&) = delete;
  CacheKeeper& operator=(const CacheKeeper&) = delete;

  // 0: the file is written at a clean stop only. Thread-safe.
  void set_save_interval(std::chrono::milliseconds interval);

  void start();
  // A clean stop: nobody changes the cache any more. Writes the file, unless it is still being
  // read: then it stays as it is. Does not wait. Thread-safe.
  void stop();
  bool stopped() const { return stopped_.load(); }

 private:
  enum class Order : std::uint8_t { run, save_and_end, end };

  void run();
  // False if the file is not to be replaced.
  bool load();
  void save(bool last);
  // Once for each reason, until a save succeeds.
  void tell_unsaved(const std::string& reason);
  void give(Order order);
  // Waits until it is time to save; false if the keeper is to end.
  bool wait_for_save();
  // A pause when it is time for one; false if there is an order to end.
  bool give_way();

  Log& log_;
  Cache& cache_;
  const std::string path_;
  const TtlRules rules_;
  FileCalls& calls_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<Order> order_{Order::run};       // written under the mutex
  std::chrono::milliseconds save_interval_{};  // under the mutex

  Instant saved_at_;    // the thread's own, as is the next
  Instant work_until_;  // then a pause
  std::string unsaved_reason_;
  std::atomic<bool> stopped_{true};
  std::thread thread_;
};

}  // namespace sotto
