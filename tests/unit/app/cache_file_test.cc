#include <gtest/gtest.h>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

#include "cache_file_world.h"

namespace sotto {
namespace {

using namespace std::chrono_literals;
using test::content;
using test::FaultyCalls;
using test::KeptCache;
using test::load;
using test::save;
using test::snapshot_text;
using test::TemporaryDirectory;
using test::write_file;
using Outcome = CacheFileResult::Outcome;

TEST(CacheFile, WhatIsSavedIsLoaded) {
  const TemporaryDirectory directory;
  KeptCache before;
  before.store_many("n", 5'000);
  const Question failed = test::question_of("failed.example");
  Answer failure;
  failure.rcode = rcode::servfail;
  before.cache.store_failure(failed, before.cache.hash(failed), failure,
                             Cache::FailureOrigin::upstream, monotonic_now(),
                             before.cache.generation());
  const CacheFileResult saved = save(before.cache, directory / "cache");
  EXPECT_EQ(saved.outcome, Outcome::done) << saved.reason;
  EXPECT_EQ(saved.entries, 5'000U);
  EXPECT_EQ(directory.files(), 1U);
  struct stat status {};
  ASSERT_EQ(::stat((directory / "cache").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);

  KeptCache after;
  const CacheFileResult loaded = load(after.cache, directory / "cache");
  EXPECT_EQ(loaded.outcome, Outcome::done) << loaded.reason;
  EXPECT_EQ(loaded.entries, 5'000U);
  EXPECT_EQ(loaded.skipped, 0U);
  for (unsigned i = 0; i < 5'000; ++i) {
    ASSERT_TRUE(after.knows("n" + std::to_string(i) + ".example")) << i;
  }
  EXPECT_FALSE(after.knows("failed.example"));
}

TEST(CacheFile, TimeGoesOnBetweenRuns) {
  const TemporaryDirectory directory;
  KeptCache before;
  before.store("a.example", 3'600, 600s);
  ASSERT_EQ(save(before.cache, directory / "cache").outcome, Outcome::done);
  KeptCache after;
  ASSERT_EQ(load(after.cache, directory / "cache").entries, 1U);
  Answer answer;
  ASSERT_EQ(after.find("a.example", answer), Cache::State::fresh);
  EXPECT_LE(answer.ttl_min, 3'000U);
  EXPECT_GT(answer.ttl_min, 2'000U);
  // Half an hour passed between the runs.
  write_file(directory / "later", snapshot_text({{"b.example", 1'800s}}));
  ASSERT_EQ(load(after.cache, directory / "later").entries, 1U);
  ASSERT_EQ(after.find("b.example", answer), Cache::State::fresh);
  EXPECT_LE(answer.ttl_min, 1'800U);
  EXPECT_GT(answer.ttl_min, 800U);
}

TEST(CacheFile, OnlyWhatIsOfUseIsTakenUp) {
  const TemporaryDirectory directory;
  write_file(directory / "cache", snapshot_text({{"fresh.example", 10s},
                                                 {"known.example", 10s, 300},
                                                 {"stale.example", 2h},
                                                 {"too-old.example", 26h},
                                                 {"ahead.example", -60s},
                                                 {"too-far-ahead.example", -1h},
                                                 {"long.example", 10s, 100'000}}));
  KeptCache after;
  after.cache.set_stale_max_age(24h);
  after.store("known.example", 500);
  const CacheFileResult loaded =
      load(after.cache, directory / "cache",
           {.ttl_min = 7'200, .ttl_max = 80'000, .negative_ttl_max = 3'600});
  EXPECT_EQ(loaded.entries, 4U);
  EXPECT_EQ(loaded.skipped, 3U);
  Answer answer;
  EXPECT_EQ(after.find("fresh.example", answer), Cache::State::fresh);
  EXPECT_LE(answer.ttl_min, 3'590U) << "a minimum set since then prolongs nothing";
  EXPECT_EQ(after.find("known.example", answer), Cache::State::fresh);
  EXPECT_GT(answer.ttl_min, 300U) << "what was learned in this run is newer";
  EXPECT_EQ(after.find("stale.example", answer), Cache::State::stale);
  EXPECT_FALSE(after.knows("too-old.example"));
  EXPECT_EQ(after.find("ahead.example", answer), Cache::State::fresh);
  EXPECT_LE(answer.ttl_min, 3'600U);
  EXPECT_FALSE(after.knows("too-far-ahead.example"));
  EXPECT_EQ(after.find("long.example", answer), Cache::State::fresh);
  EXPECT_LE(answer.ttl_min, 80'000U);
}

TEST(CacheFile, NothingOfADamagedFileIsUsed) {
  const TemporaryDirectory directory;
  std::vector<test::Saved> entries;
  for (unsigned i = 0; i < 5'000; ++i) entries.push_back({"n" + std::to_string(i) + ".example"});
  const std::string good = snapshot_text(entries);
  std::string changed = good;
  changed[good.size() - 100] ^= 1;
  const std::string damaged[] = {changed, good.substr(0, good.size() - 1), good + "x", ""};
  for (const std::string& text : damaged) {
    write_file(directory / "cache", text);
    KeptCache after;
    const CacheFileResult loaded = load(after.cache, directory / "cache");
    EXPECT_EQ(loaded.outcome, Outcome::failed);
    EXPECT_EQ(loaded.reason, "damaged or cut short");
    EXPECT_TRUE(loaded.may_replace);
    EXPECT_EQ(after.cache.stats().entries, 0U);
  }
}

TEST(CacheFile, WhatIsNoFileOfOursIsLeftAlone) {
  const TemporaryDirectory directory;
  write_file(directory / "text", "[cache]\nsize = 0\n");
  write_file(directory / "short", "so");
  std::filesystem::create_directory(directory / "directory");
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  write_file(directory / "good", snapshot_text({{"a.example"}}));
  std::filesystem::create_symlink(directory / "good", directory / "link");
  const struct {
    std::string name;
    std::string reason;
    bool writable;  // save_cache() would replace it
  } cases[] = {{"text", "not a file of this program", true},
               {"short", "not a file of this program", true},
               {"directory", "not a regular file", false},
               {"pipe", "not a regular file", false},
               {"link", "a symbolic link is not followed", false},
               {"good", "", true}};
  for (const auto& [name, reason, writable] : cases) {
    KeptCache after;
    const CacheFileResult loaded = load(after.cache, directory / name);
    EXPECT_EQ(loaded.reason, reason) << name;
    EXPECT_EQ(loaded.may_replace, reason.empty()) << name;
    if (!writable) {
      EXPECT_EQ(save(after.cache, directory / name).outcome, Outcome::failed) << name;
    }
  }
  EXPECT_EQ(directory.files(), 6U);
}

TEST(CacheFile, OtherVersionsAndDatesAreNamed) {
  const TemporaryDirectory directory;
  KeptCache after;
  write_file(directory / "cache", snapshot_text({{"a.example"}}, test::utc_now() + 1h));
  EXPECT_EQ(load(after.cache, directory / "cache").reason, "dated in the future");
  std::string newer = snapshot_text({{"a.example"}});
  newer[11] = 2;
  write_file(directory / "cache", newer);
  const CacheFileResult loaded = load(after.cache, directory / "cache");
  EXPECT_EQ(loaded.reason, "written in another version of the format");
  EXPECT_TRUE(loaded.may_replace);
  EXPECT_EQ(after.cache.stats().entries, 0U);
}

TEST(CacheFile, AFileThatOthersCanWriteIsNotTrusted) {
  const TemporaryDirectory directory;
  write_file(directory / "cache", snapshot_text({{"a.example"}}));
  ASSERT_EQ(::chmod((directory / "cache").c_str(), 0602), 0);
  KeptCache after;
  EXPECT_EQ(load(after.cache, directory / "cache").reason, "others can write it");
  EXPECT_FALSE(after.knows("a.example"));
}

TEST(CacheFile, NoFileIsNoFailure) {
  const TemporaryDirectory directory;
  KeptCache after;
  EXPECT_EQ(load(after.cache, directory / "cache").outcome, Outcome::absent);
  EXPECT_EQ(load(after.cache, directory / "no-directory/cache").outcome, Outcome::absent);
  const CacheFileResult saved = save(after.cache, directory / "no-directory/cache");
  EXPECT_EQ(saved.outcome, Outcome::failed);
  EXPECT_NE(saved.reason.find("No such file or directory; its directory must exist"),
            std::string::npos);
}

// The content is on the disk before the name is, and the name before it is said to be saved.
TEST(CacheFile, IsWrittenInTheRightOrder) {
  const TemporaryDirectory directory;
  KeptCache cache;
  cache.store("a.example");
  FaultyCalls calls;
  EXPECT_EQ(save_cache(cache.cache, directory / "cache", calls, [] { return true; }).outcome,
            Outcome::done);
  EXPECT_EQ(calls.trace, "oclwwsxrdsx");
}

class CacheFileFaults : public testing::Test {
 protected:
  CacheFileFaults() {
    old_.store_many("old", 10);
    new_.store_many("new", 6'000);
    EXPECT_EQ(save(old_.cache, path_).outcome, Outcome::done);
  }

  CacheFileResult save_new(FaultyCalls& calls) {
    return save_cache(new_.cache, path_, calls, [] { return true; });
  }
  // "old" or "new", always whole.
  std::string kept() {
    KeptCache after;
    const CacheFileResult loaded = load(after.cache, path_);
    EXPECT_EQ(loaded.outcome, Outcome::done) << loaded.reason;
    if (loaded.entries == 10 && after.knows("old9.example")) return "old";
    if (loaded.entries == 6'000 && after.knows("new5999.example")) return "new";
    return "neither";
  }
  void put_old_back() { ASSERT_EQ(save(old_.cache, path_).outcome, Outcome::done); }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "cache";
  KeptCache old_;
  KeptCache new_;
};

TEST_F(CacheFileFaults, AKillAtAnyPointLeavesTheOldOrTheNew) {
  FaultyCalls whole;
  ASSERT_EQ(save_new(whole).outcome, Outcome::done);
  ASSERT_GT(whole.trace.size(), 9U) << "more than one write";
  const std::size_t renamed = whole.trace.find('r');
  // The last call closes the directory: with or without it, all is done.
  for (std::size_t at = 0; at + 1 < whole.trace.size(); ++at) {
    put_old_back();
    FaultyCalls calls;
    calls.die_at = at;
    EXPECT_NE(save_new(calls).outcome, Outcome::done);
    EXPECT_EQ(kept(), at <= renamed ? "old" : "new") << at;
    // The next run writes as if nothing had happened and leaves nothing behind.
    FaultyCalls next;
    EXPECT_EQ(save_new(next).outcome, Outcome::done) << at;
    EXPECT_EQ(kept(), "new") << at;
    EXPECT_EQ(directory_.files(), 1U) << at;
  }
}

TEST_F(CacheFileFaults, AFailureAtAnyPointIsToldAndLeavesTheOldOrTheNew) {
  FaultyCalls whole;
  ASSERT_EQ(save_new(whole).outcome, Outcome::done);
  const std::size_t renamed = whole.trace.find('r');
  for (const int error : {ENOSPC, EIO, EACCES, EROFS}) {
    for (std::size_t at = 0; at + 1 < whole.trace.size(); ++at) {
      put_old_back();
      FaultyCalls calls;
      calls.fail_at = at;
      calls.error = error;
      const CacheFileResult saved = save_new(calls);
      // A directory that cannot be read; a left-over that cannot be opened, but removed.
      const bool overcome = error == EACCES && (whole.trace[at] == 'd' || whole.trace[at] == 'o');
      EXPECT_EQ(saved.outcome, overcome ? Outcome::done : Outcome::failed) << at;
      EXPECT_EQ(saved.reason.find(std::strerror(error)) == std::string::npos, overcome)
          << saved.reason;
      EXPECT_EQ(kept(), at <= renamed && !overcome ? "old" : "new") << at;
      EXPECT_EQ(directory_.files(), 1U) << at;
    }
  }
}

TEST_F(CacheFileFaults, WritesMayBeShort) {
  FaultyCalls calls;
  calls.write_octets_max = 1'000;
  EXPECT_EQ(save_new(calls).outcome, Outcome::done);
  EXPECT_EQ(kept(), "new");
}

TEST_F(CacheFileFaults, AStopBetweenAnyTwoEntriesLeavesTheOld) {
  for (const unsigned entries : {0U, 1U, 3'000U, 5'999U, 6'000U}) {
    FileCalls calls;
    unsigned asked = 0;
    const auto go_on = [&asked, entries] { return asked++ < entries; };
    EXPECT_EQ(save_cache(new_.cache, path_, calls, go_on).outcome, Outcome::interrupted);
    EXPECT_EQ(kept(), "old");
    EXPECT_EQ(directory_.files(), 1U);
  }
}

TEST_F(CacheFileFaults, ALinkInPlaceOfTheNewFileIsNotFollowed) {
  write_file(directory_ / "victim", "precious");
  std::filesystem::create_symlink(directory_ / "victim", path_ + ".new");
  FaultyCalls calls;
  EXPECT_EQ(save_new(calls).outcome, Outcome::done);
  EXPECT_EQ(kept(), "new");
  EXPECT_EQ(content(directory_ / "victim"), "precious");
  // Nor when it appears between two calls.
  std::filesystem::create_symlink(directory_ / "victim", path_ + ".new");
  FileCalls plain;
  EXPECT_EQ(plain.create(path_ + ".new"), -1);
  EXPECT_EQ(errno, EEXIST);
}

TEST_F(CacheFileFaults, LoadingCanBeStopped) {
  ASSERT_EQ(save(new_.cache, path_).outcome, Outcome::done);
  for (const unsigned calls : {0U, 1U, 100U}) {
    KeptCache after;
    unsigned asked = 0;
    const CacheFileResult loaded =
        load_cache(after.cache, path_, {}, 0, [&asked, calls] { return asked++ < calls; });
    EXPECT_EQ(loaded.outcome, Outcome::interrupted);
    EXPECT_LE(after.cache.stats().entries, calls);
  }
}

TEST_F(CacheFileFaults, AFlushDuringTheSavingLeavesTheOld) {
  for (const unsigned entries : {1U, 3'000U, 6'000U, 6'001U}) {
    KeptCache cache;
    cache.store_many("new", 6'000);
    FileCalls calls;
    unsigned asked = 0;
    const CacheFileResult saved = save_cache(cache.cache, path_, calls, [&] {
      if (++asked == entries) cache.cache.flush();
      return true;
    });
    EXPECT_EQ(saved.outcome, Outcome::overtaken) << entries;
    EXPECT_EQ(kept(), "old");
    EXPECT_EQ(directory_.files(), 1U);
  }
}

TEST_F(CacheFileFaults, WhoMayNotPlaceTheFileLeavesTheOld) {
  FileCalls calls;
  std::mutex mutex;
  const auto go_on = [] { return true; };
  const auto refused = [&] { return std::unique_lock(mutex, std::defer_lock); };
  EXPECT_EQ(save_cache(new_.cache, path_, calls, go_on, refused).outcome, Outcome::overtaken);
  EXPECT_EQ(kept(), "old");
  EXPECT_EQ(directory_.files(), 1U);
  const auto granted = [&] { return std::unique_lock(mutex); };
  EXPECT_EQ(save_cache(new_.cache, path_, calls, go_on, granted).outcome, Outcome::done);
  EXPECT_EQ(kept(), "new");
}

// flock(2) keeps descriptors apart, not processes: one process can play both.
TEST_F(CacheFileFaults, TwoThatSaveDoNotDisturbEachOther) {
  for (const unsigned entries : {1U, 3'000U, 6'001U}) {
    put_old_back();
    FileCalls calls;
    CacheFileResult other;
    CacheFileResult probe;
    unsigned asked = 0;
    const CacheFileResult saved = save_cache(new_.cache, path_, calls, [&] {
      if (++asked == entries) {
        probe = probe_cache_file(path_, calls);
        other = save(old_.cache, path_);
      }
      return true;
    });
    EXPECT_EQ(saved.outcome, Outcome::done) << saved.reason;
    EXPECT_EQ(probe.outcome, Outcome::busy);
    EXPECT_EQ(other.outcome, Outcome::busy);
    EXPECT_NE(other.reason.find("another process is writing " + path_ + ".new"), std::string::npos)
        << other.reason;
    EXPECT_EQ(kept(), "new");
    EXPECT_EQ(directory_.files(), 1U);
  }
}

// Puts another file in the place of the new one at one of the calls.
class MeddledCalls : public FaultyCalls {
 public:
  std::size_t meddle_at = no_call;
  std::string path;

  int lock(int fd) override {
    meddle();
    return FaultyCalls::lock(fd);
  }
  int sync(int fd) override {
    meddle();
    return FaultyCalls::sync(fd);
  }

 private:
  void meddle() {
    if (trace.size() != meddle_at) return;
    ::unlink(path.c_str());
    write_file(path, "theirs");
  }
};

TEST_F(CacheFileFaults, AFileOfAnotherIsNeverPutInPlace) {
  MeddledCalls calls;
  calls.path = path_ + ".new";
  calls.meddle_at = 6;  // synced: too late to begin anew
  const CacheFileResult saved = save_new(calls);
  EXPECT_EQ(calls.trace.find('s'), 6U) << calls.trace;
  EXPECT_EQ(saved.outcome, Outcome::failed);
  EXPECT_EQ(saved.reason, path_ + ".new was taken away by another program");
  EXPECT_EQ(kept(), "old");
  EXPECT_EQ(content(path_ + ".new"), "theirs") << "it is not ours to remove";
  // Before it was locked: then the next attempt finds a left-over.
  ASSERT_EQ(::unlink(calls.path.c_str()), 0);
  calls.trace.clear();
  calls.meddle_at = 2;
  EXPECT_EQ(save_new(calls).outcome, Outcome::done) << calls.trace;
  EXPECT_EQ(kept(), "new");
  EXPECT_EQ(directory_.files(), 1U);
}

TEST_F(CacheFileFaults, AFileThatIsLockedBySomebodyIsNotRemoved) {
  write_file(path_ + ".new", "of a live process");
  FileCalls calls;
  const int fd = calls.open_existing(path_ + ".new");
  ASSERT_EQ(calls.lock(fd), 0);
  EXPECT_EQ(probe_cache_file(path_, calls).outcome, Outcome::busy);
  EXPECT_EQ(content(path_ + ".new"), "of a live process");
  ::close(fd);
  EXPECT_EQ(probe_cache_file(path_, calls).outcome, Outcome::done);
  EXPECT_EQ(directory_.files(), 1U) << "its process has ended";
}

TEST_F(CacheFileFaults, AFlushBeforeTheLoadingLeavesNothingToLoad) {
  KeptCache after;
  after.cache.flush();
  const CacheFileResult loaded = load_cache(after.cache, path_, {}, 0, [] { return true; });
  EXPECT_EQ(loaded.outcome, Outcome::overtaken);
  EXPECT_EQ(after.cache.stats().entries, 0U);
}

TEST_F(CacheFileFaults, AFlushOfOneNameDuringTheLoadingLeavesTheOthers) {
  ASSERT_EQ(save(new_.cache, path_).outcome, Outcome::done);
  KeptCache after;
  unsigned asked = 0;
  const CacheFileResult loaded = load_cache(after.cache, path_, {}, 0, [&] {
    if (++asked == 1'000) after.cache.flush(name_from_text("elsewhere.test.")->octets(), true);
    return true;
  });
  EXPECT_EQ(loaded.outcome, Outcome::done);
  EXPECT_EQ(after.cache.stats().entries, new_.cache.stats().entries);
}

TEST_F(CacheFileFaults, AFlushEndsTheLoading) {
  ASSERT_EQ(save(new_.cache, path_).outcome, Outcome::done);
  KeptCache after;
  unsigned asked = 0;
  const CacheFileResult loaded = load_cache(after.cache, path_, {}, 0, [&] {
    if (++asked == 1'000) after.cache.flush();
    return true;
  });
  EXPECT_EQ(loaded.outcome, Outcome::overtaken);
  EXPECT_GT(loaded.entries, 0U);
  EXPECT_EQ(after.cache.stats().entries, 0U);
}

}  // namespace
}  // namespace sotto
