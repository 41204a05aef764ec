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
  // Saves that do not wait for the interval begin this long after the one before.
  static constexpr Duration soon_pause = std::chrono::seconds{1};

  // All outlive the keeper. path: empty to keep nothing. rules: for what is read.
  CacheKeeper(Log& log, Cache& cache, std::string path, const TtlRules& rules, FileCalls& calls);
  // Without a clean stop before, nothing is written.
  ~CacheKeeper();
  CacheKeeper(const CacheKeeper&) = delete;
  CacheKeeper& operator=(const CacheKeeper&) = delete;

  // 0: the file is written at a clean stop only. Thread-safe.
  void set_save_interval(std::chrono::milliseconds interval);

  // To be called after each flush, so that a restart does not undo it: the file is saved at once.
  // everything: until then there is none. Thread-safe.
  void flushed(bool everything);

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
  CacheFileResult try_to_save(bool last);
  // Says so, after a flush with the file removed: better none than one with what was flushed.
  void save_failed(const CacheFileResult& result);
  // Once for each reason, until a save succeeds.
  void tell_unsaved(const std::string& reason, bool removed = false);
  void give(Order order);
  // Under the mutex.
  Instant next_save() const;
  // Waits until it is time to save; false if the keeper is to end.
  bool wait_for_save();
  // A pause when it is time for one; false if there is an order to end.
  bool give_way();

  Log& log_;
  Cache& cache_;
  const std::string path_;
  const TtlRules rules_;
  FileCalls& calls_;
  const std::uint32_t generation_;  // of the cache, before anybody could flush it

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<Order> order_{Order::run};       // written under the mutex
  std::chrono::milliseconds save_interval_{};  // under the mutex, as are the next three
  bool flushed_ = false;                       // since the last save began
  bool emptied_ = false;                       // the cache was flushed as a whole
  bool may_replace_ = false;                   // the file has been read, and it is ours

  Instant saved_at_;        // the thread's own, as are the next
  Instant soon_from_;       // what is to be saved soon, not before
  Instant work_until_;      // then a pause
  bool outdated_ = false;   // the file may have in it what was flushed
  bool save_soon_ = false;  // the last save was for nothing
  std::string unsaved_reason_;
  std::atomic<bool> stopped_{true};
  std::thread thread_;
};

}  // namespace sotto
