#include "app/cache_keeper.h"

#include <algorithm>
#include <utility>

#include "base/last_words.h"

namespace sotto {
namespace {

using Outcome = CacheFileResult::Outcome;

std::int64_t milliseconds_since(Instant begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(monotonic_now() - begin).count();
}

}  // namespace

CacheKeeper::CacheKeeper(Log& log, Cache& cache, std::string path, const TtlRules& rules,
                         FileCalls& calls)
    : log_(log),
      cache_(cache),
      path_(std::move(path)),
      rules_(rules),
      calls_(calls),
      generation_(cache.generation()) {}

CacheKeeper::~CacheKeeper() {
  give(Order::end);
  if (thread_.joinable()) thread_.join();
}

void CacheKeeper::set_save_interval(std::chrono::milliseconds interval) {
  const std::lock_guard lock(mutex_);
  save_interval_ = interval;
  changed_.notify_all();
}

// Whatever was written before this neither takes its place meanwhile nor later: try_to_save().
void CacheKeeper::flushed(bool everything) {
  const std::lock_guard lock(mutex_);
  flushed_ = true;
  emptied_ = emptied_ || everything;
  // If it cannot be removed, the save says what is wrong.
  if (everything && may_replace_) remove_cache_file(path_, calls_);
  changed_.notify_all();
}

void CacheKeeper::start() {
  // Without a cache, an empty file would take the place of a full one.
  if (path_.empty() || !cache_.keeps_anything()) return;
  stopped_ = false;
  thread_ = std::thread([this] { run_or_end("the cache's keeper", [this] { run(); }); });
}

void CacheKeeper::stop() {
  give(Order::save_and_end);
}

void CacheKeeper::give(Order order) {
  const std::lock_guard lock(mutex_);
  order_ = order;
  changed_.notify_all();
}

void CacheKeeper::run() {
  work_until_ = monotonic_now() + work;
  const bool may_save = load();
  saved_at_ = monotonic_now();
  if (may_save) {
    {
      const std::lock_guard lock(mutex_);
      may_replace_ = true;
      if (emptied_) remove_cache_file(path_, calls_);
    }
    // Better said now than at the stop.
    const CacheFileResult probe = probe_cache_file(path_, calls_);
    if (probe.outcome == Outcome::failed) tell_unsaved(probe.reason);
    while (wait_for_save()) save(false);
    if (order_ == Order::save_and_end) save(true);
  }
  stopped_ = true;
}

bool CacheKeeper::load() {
  const Instant begin = monotonic_now();
  const CacheFileResult result =
      load_cache(cache_, path_, rules_, generation_, [this] { return give_way(); });
  switch (result.outcome) {
    case Outcome::absent:
      return true;
    case Outcome::done:
      log_.info("cache.loaded", "answers kept from before are used again",
                {{"file", path_},
                 {"entries", result.entries},
                 {"skipped", result.skipped},
                 {"milliseconds", milliseconds_since(begin)}});
      return true;
    case Outcome::overtaken:
      log_.info("cache.flushed", "the cache was flushed while its file was read; the rest is left",
                {{"file", path_}, {"entries", result.entries}});
      return true;
    case Outcome::interrupted:
      log_.info("cache.kept", "stopped before its file was read; that stays as it is",
                {{"file", path_}});
      return false;
    case Outcome::busy:
    case Outcome::failed:
      break;
  }
  log_.warning("cache.ignored",
               result.may_replace
                   ? "the cache's file cannot be used; starting with an empty cache"
                   : "cache.file is no cache of ours; it is left alone and nothing will be saved",
               {{"file", path_}, {"reason", result.reason}});
  return result.may_replace;
}

void CacheKeeper::save(bool last) {
  const Instant begin = monotonic_now();
  CacheFileResult result = try_to_save(last);
  // At the end there is no later; the other may be a sotto that has just started.
  constexpr int attempts_max = 250;
  constexpr std::chrono::milliseconds between{20};
  for (int attempt = 1; last && attempt < attempts_max; ++attempt) {
    if (result.outcome != Outcome::busy && result.outcome != Outcome::overtaken) break;
    std::this_thread::sleep_for(between);
    result = try_to_save(last);
  }
  saved_at_ = monotonic_now();
  soon_from_ = saved_at_ + soon_pause;
  save_soon_ = result.outcome == Outcome::busy || result.outcome == Outcome::overtaken;
  if (result.outcome == Outcome::busy) tell_unsaved(result.reason);
  if (result.outcome == Outcome::failed) save_failed(result);
  if (result.outcome != Outcome::done) return;
  outdated_ = false;
  unsaved_reason_.clear();
  log_.write(
      last ? LogLevel::info : LogLevel::debug, "cache.saved", "answers saved",
      {{"file", path_}, {"entries", result.entries}, {"milliseconds", milliseconds_since(begin)}});
}

CacheFileResult CacheKeeper::try_to_save(bool last) {
  {
    const std::lock_guard lock(mutex_);
    outdated_ = std::exchange(flushed_, false) || outdated_;
  }
  work_until_ = monotonic_now() + work;
  const auto go_on = [this, last] { return last || give_way(); };
  // A flush that had begun before the save and ended during it leaves the generation as it was.
  const auto claim = [this] {
    std::unique_lock lock(mutex_);
    if (flushed_) lock.unlock();
    return lock;
  };
  return save_cache(cache_, path_, calls_, go_on, claim);
}

void CacheKeeper::save_failed(const CacheFileResult& result) {
  const bool removed = outdated_ && remove_cache_file(path_, calls_).outcome == Outcome::done;
  if (removed) outdated_ = false;
  tell_unsaved(result.reason, removed);
}

void CacheKeeper::tell_unsaved(const std::string& reason, bool removed) {
  const LogLevel level = reason == unsaved_reason_ ? LogLevel::debug : LogLevel::warning;
  log_.write(level, "cache.unsaved",
             removed ? "cannot save the cache; what was saved before the flush is removed"
                     : "cannot save the cache; what was saved before stays",
             {{"file", path_}, {"reason", reason}});
  unsaved_reason_ = reason;
}

Instant CacheKeeper::next_save() const {
  const Instant regular = save_interval_.count() == 0 ? never : saved_at_ + save_interval_;
  return flushed_ || outdated_ || save_soon_ ? std::min(regular, soon_from_) : regular;
}

bool CacheKeeper::wait_for_save() {
  std::unique_lock lock(mutex_);
  while (order_ == Order::run) {
    const Instant due = next_save();
    if (due == never) {
      changed_.wait(lock);
    } else if (monotonic_now() >= due) {
      return true;
    } else {
      changed_.wait_for(lock, due - monotonic_now());
    }
  }
  return false;
}

bool CacheKeeper::give_way() {
  if (order_ != Order::run) return false;
  if (monotonic_now() < work_until_) return true;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [this] { return order_ != Order::run; });
  work_until_ = monotonic_now() + work;
  return order_ == Order::run;
}

}  // namespace sotto
