#include "app/cache_keeper.h"

#include <condition_variable>
#include <functional>
#include <gtest/gtest.h>
#include <mutex>
#include <unistd.h>

#include "cache_file_world.h"

namespace sotto {
namespace {

using namespace std::chrono_literals;
using test::content;
using test::KeptCache;
using test::snapshot_text;
using test::TemporaryDirectory;
using test::write_file;

// Tells of each file that took its place; can refuse to write.
class WatchedCalls : public FileCalls {
 public:
  std::atomic<bool> full{false};
  std::function<void()> before_write;  // once
  unsigned created_before_rename = 0;  // the first

  ssize_t write(int fd, const void* octets, std::size_t count) override {
    if (before_write) std::exchange(before_write, nullptr)();
    if (!full) return FileCalls::write(fd, octets, count);
    count_one(refused_);
    errno = ENOSPC;
    return -1;
  }
  int lock(int fd) override {
    const int result = FileCalls::lock(fd);
    const int error = errno;
    if (result != 0) count_one(locked_out_);
    errno = error;
    return result;
  }
  int create(const std::string& path) override {
    ++created_;
    return FileCalls::create(path);
  }
  int rename(const std::string& from, const std::string& to) override {
    if (renames() == 0) created_before_rename = created_;
    const int result = FileCalls::rename(from, to);
    count_one(renamed_);
    return result;
  }
  void await_renames(unsigned count) { await(renamed_, count); }
  void await_refusals(unsigned count) { await(refused_, count); }
  void await_locked_out(unsigned count) { await(locked_out_, count); }
  unsigned renames() {
    const std::lock_guard lock(mutex_);
    return renamed_;
  }

 private:
  void count_one(unsigned& counter) {
    const std::lock_guard lock(mutex_);
    ++counter;
    changed_.notify_all();
  }
  void await(const unsigned& counter, unsigned count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return counter >= count; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned created_ = 0;  // by the keeper's thread
  unsigned locked_out_ = 0;
  unsigned renamed_ = 0;
  unsigned refused_ = 0;
};

class CacheKeeperTest : public testing::Test {
 protected:
  // Runs a keeper until does_its_part(keeper) returns; then the log is complete.
  template <class Part>
  void run(KeptCache& cache, Part part) {
    lines_.clear();
    Log log({.level = LogLevel::debug, .format = LogFormat::text},
            [this](std::string_view line) { lines_ += line; });
    CacheKeeper keeper(log, cache.cache, path_, TtlRules{}, calls_);
    part(keeper);
  }
  static void await_end(const CacheKeeper& keeper) {
    while (!keeper.stopped()) std::this_thread::yield();
  }
  void run_and_stop(KeptCache& cache) {
    run(cache, [](CacheKeeper& keeper) {
      keeper.start();
      keeper.stop();
      await_end(keeper);
    });
  }
  std::size_t count(std::string_view text) const {
    std::size_t found = 0;
    for (auto at = lines_.find(text); at != std::string::npos; at = lines_.find(text, at + 1)) {
      ++found;
    }
    return found;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "cache";
  WatchedCalls calls_;
  std::string lines_;
};

TEST_F(CacheKeeperTest, SavesAtACleanStopAndLoadsAtTheStart) {
  KeptCache first;
  first.store("a.example");
  run_and_stop(first);
  EXPECT_EQ(count("cache.saved"), 1U);
  EXPECT_EQ(count("warning"), 0U) << "the first start finds no file";

  KeptCache second;
  second.store("b.example");
  run(second, [&](CacheKeeper& keeper) {
    keeper.set_save_interval(1ms);  // it loads first
    keeper.start();
    calls_.await_renames(2);
    keeper.stop();
    await_end(keeper);
  });
  EXPECT_EQ(count("cache.loaded"), 1U) << lines_;
  EXPECT_TRUE(second.knows("a.example"));
  KeptCache third;
  EXPECT_EQ(test::load(third.cache, path_).entries, 2U);
}

TEST_F(CacheKeeperTest, SavesEveryIntervalAlsoOneThatIsSetLater) {
  KeptCache cache;
  cache.store("a.example");
  run(cache, [this](CacheKeeper& keeper) {
    keeper.start();
    keeper.set_save_interval(1ms);
    calls_.await_renames(3);
  });
  EXPECT_GE(count("debug   cache.saved"), 2U) << lines_;
  KeptCache after;
  EXPECT_EQ(test::load(after.cache, path_).entries, 1U);
}

TEST_F(CacheKeeperTest, WithoutACleanStopNothingIsWritten) {
  KeptCache cache;
  cache.store("a.example");
  run(cache, [](CacheKeeper& keeper) { keeper.start(); });
  EXPECT_EQ(directory_.files(), 0U);
}

TEST_F(CacheKeeperTest, AStopWhileLoadingKeepsTheFile) {
  write_file(path_, snapshot_text({{"a.example"}, {"b.example"}}));
  const std::string before = content(path_);
  KeptCache cache;
  cache.store("c.example");
  run(cache, [](CacheKeeper& keeper) {
    keeper.stop();  // the order is there before the first entry is
    keeper.start();
    await_end(keeper);
  });
  EXPECT_EQ(count("cache.kept"), 1U) << lines_;
  EXPECT_EQ(content(path_), before);
  EXPECT_EQ(directory_.files(), 1U);
}

TEST_F(CacheKeeperTest, ADamagedFileIsOneWarningAndReplaced) {
  write_file(path_, snapshot_text({{"a.example"}}) + "x");
  KeptCache cache;
  cache.store("b.example");
  run(cache, [this](CacheKeeper& keeper) {
    keeper.set_save_interval(1ms);
    keeper.start();
    calls_.await_renames(1);
    keeper.stop();
    await_end(keeper);
  });
  EXPECT_EQ(count("warning"), 1U) << lines_;
  EXPECT_EQ(count("starting with an empty cache"), 1U) << lines_;
  EXPECT_FALSE(cache.knows("a.example"));
  KeptCache after;
  EXPECT_EQ(test::load(after.cache, path_).entries, 1U);
}

TEST_F(CacheKeeperTest, AForeignFileIsOneWarningAndKept) {
  write_file(path_, "precious");
  KeptCache cache;
  cache.store("b.example");
  run(cache, [](CacheKeeper& keeper) {
    keeper.set_save_interval(1ms);
    keeper.start();
    await_end(keeper);
  });
  EXPECT_EQ(count("warning"), 1U) << lines_;
  EXPECT_EQ(content(path_), "precious");
  EXPECT_EQ(calls_.renames(), 0U);
}

TEST_F(CacheKeeperTest, AFullDiskIsOneWarningAndOvercome) {
  KeptCache cache;
  cache.store("a.example");
  calls_.full = true;
  run(cache, [this](CacheKeeper& keeper) {
    keeper.set_save_interval(1ms);
    keeper.start();
    calls_.await_refusals(3);
    EXPECT_EQ(calls_.renames(), 0U);
    calls_.full = false;
    calls_.await_renames(1);
  });
  EXPECT_GE(count("debug   cache.unsaved"), 1U) << lines_;
  EXPECT_EQ(count("warning cache.unsaved"), 1U) << lines_;
  EXPECT_GE(count("No space left on device; free some space"), 2U) << lines_;
  EXPECT_EQ(directory_.files(), 1U);
}

TEST_F(CacheKeeperTest, ADirectoryThatCannotBeWrittenIsOneWarningAtTheStart) {
  path_ = directory_ / "no-directory/cache";
  KeptCache cache;
  cache.store("a.example");
  run_and_stop(cache);
  EXPECT_EQ(count("warning cache.unsaved"), 1U) << lines_;
  EXPECT_EQ(count("warning"), 1U) << lines_;
  EXPECT_EQ(count("debug   cache.unsaved"), 1U) << lines_;
}

// The interval is 0: without the flushes nothing would be saved.
TEST_F(CacheKeeperTest, SavesAfterAFlush) {
  write_file(path_, snapshot_text({{"a.example"}, {"b.example"}}));
  KeptCache cache;
  run(cache, [&](CacheKeeper& keeper) {
    keeper.start();
    while (!cache.knows("a.example") || !cache.knows("b.example")) std::this_thread::yield();
    cache.cache.flush(test::wire("a.example"), false);
    keeper.flushed(false);
    calls_.await_renames(1);
    KeptCache after;
    EXPECT_EQ(test::load(after.cache, path_).entries, 1U);
    EXPECT_FALSE(after.knows("a.example"));
  });
}

TEST_F(CacheKeeperTest, AFlushOfEverythingRemovesTheFileAtOnce) {
  KeptCache cache;
  cache.store("a.example");
  bool was_there = false;
  run(cache, [&](CacheKeeper& keeper) {
    keeper.set_save_interval(1ms);
    keeper.start();
    calls_.await_renames(1);
    calls_.full = true;
    calls_.await_refusals(1);
    was_there = std::filesystem::exists(path_);
    cache.cache.flush();
    keeper.flushed(true);
    EXPECT_FALSE(std::filesystem::exists(path_));
  });
  EXPECT_TRUE(was_there);
}

// The flush had begun before the save: its entries were seen, and the generation stays as it is.
TEST_F(CacheKeeperTest, WhatAFlushOvertakesIsDroppedAndSavedAgain) {
  KeptCache cache;
  cache.store("a.example");
  run(cache, [&](CacheKeeper& keeper) {
    calls_.before_write = [&] { keeper.flushed(true); };
    keeper.set_save_interval(1ms);
    keeper.start();
    calls_.await_renames(1);
    keeper.stop();
    await_end(keeper);
  });
  EXPECT_EQ(calls_.created_before_rename, 3U) << "tried, dropped, saved";
  EXPECT_EQ(count("warning"), 0U) << lines_;
}

TEST_F(CacheKeeperTest, AFlushWhileLoadingHoldsAlsoForAStop) {
  write_file(path_, snapshot_text({{"a.example"}, {"b.example"}}));
  KeptCache cache;
  run(cache, [&](CacheKeeper& keeper) {
    cache.cache.flush(test::wire("a.example"), false);
    keeper.flushed(false);
    keeper.stop();
    keeper.start();
    await_end(keeper);
  });
  EXPECT_EQ(count("cache.kept"), 0U) << lines_;
  KeptCache after;
  EXPECT_EQ(test::load(after.cache, path_).entries, 0U);
}

TEST_F(CacheKeeperTest, WhatCannotBeSavedAfterAFlushIsRemoved) {
  write_file(path_, snapshot_text({{"a.example"}, {"b.example"}}));
  KeptCache cache;
  calls_.full = true;
  run(cache, [&](CacheKeeper& keeper) {
    keeper.start();
    while (!cache.knows("b.example")) std::this_thread::yield();
    cache.cache.flush(test::wire("a.example"), false);
    keeper.flushed(false);
    keeper.stop();
    await_end(keeper);
  });
  EXPECT_EQ(count("what was saved before the flush is removed"), 1U) << lines_;
  EXPECT_EQ(directory_.files(), 0U);
}

TEST_F(CacheKeeperTest, AFlushLeavesAForeignFileAlone) {
  write_file(path_, "precious");
  KeptCache cache;
  run(cache, [](CacheKeeper& keeper) {
    keeper.flushed(true);
    keeper.start();
    keeper.stop();
    await_end(keeper);
    keeper.flushed(true);
  });
  EXPECT_EQ(content(path_), "precious");
}

TEST_F(CacheKeeperTest, TheLastSaveWaitsForAnotherProcess) {
  KeptCache cache;
  cache.store("a.example");
  write_file(path_ + ".new", "of another");
  const int fd = calls_.open_existing(path_ + ".new");
  ASSERT_EQ(calls_.lock(fd), 0);
  run(cache, [&](CacheKeeper& keeper) {
    keeper.start();
    keeper.stop();
    calls_.await_locked_out(20);  // ten attempts at the start, ten of the first save
    EXPECT_EQ(content(path_ + ".new"), "of another");
    ::close(fd);
    await_end(keeper);
  });
  EXPECT_EQ(count("cache.saved"), 1U) << lines_;
  EXPECT_EQ(count("warning"), 0U) << lines_;
}

TEST_F(CacheKeeperTest, WithoutACacheTheFileIsLeft) {
  write_file(path_, snapshot_text({{"a.example"}}));
  const std::string before = content(path_);
  KeptCache nothing(0);
  run_and_stop(nothing);
  EXPECT_EQ(content(path_), before);
  EXPECT_EQ(lines_, "");
}

}  // namespace
}  // namespace sotto
