#include "app/cache_keeper.h"

#include <utility>

namespace sotto {
namespace {

using Outcome = CacheFileResult::Outcome;

std::int64_t milliseconds_since(Instant begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(monotonic_now() - begin).count();
}

}  // namespace

CacheKeeper::CacheKeeper(Log& log, Cache& cache, std::string path, const TtlRules& rules,
                         FileCalls& calls)
    : log_(log), cache_(cache), path_(std::move(path)), rules_(rules), calls_(calls) {}

CacheKeeper::~CacheKeeper() {
  give(Order::end);
  if (thread_.joinable()) thread_.join();
}

void CacheKeeper::set_save_interval(std::chrono::milliseconds interval) {
  const std::lock_guard lock(mutex_);
  save_interval_ = interval;
  changed_.notify_all();
}

void CacheKeeper::start() {
  // Without a cache, an empty file would take the place of a full one.
  if (path_.empty() || !cache_.keeps_anything()) return;
  stopped_ = false;
  thread_ = std::thread([this] { run(); });
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
  const CacheFileResult result = load_cache(cache_, path_, rules_, [this] { return give_way(); });
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
  work_until_ = begin + work;
  const CacheFileResult result =
      save_cache(cache_, path_, calls_, [this, last] { return last || give_way(); });
  saved_at_ = monotonic_now();
  if (result.outcome == Outcome::failed) {
    tell_unsaved(result.reason);
  } else if (result.outcome == Outcome::done) {
    unsaved_reason_.clear();
    log_.write(last ? LogLevel::info : LogLevel::debug, "cache.saved", "answers saved",
               {{"file", path_},
                {"entries", result.entries},
                {"milliseconds", milliseconds_since(begin)}});
  }
}

void CacheKeeper::tell_unsaved(const std::string& reason) {
  const LogLevel level = reason == unsaved_reason_ ? LogLevel::debug : LogLevel::warning;
  log_.write(level, "cache.unsaved", "cannot save the cache; what was saved before stays",
             {{"file", path_}, {"reason", reason}});
  unsaved_reason_ = reason;
}

bool CacheKeeper::wait_for_save() {
  std::unique_lock lock(mutex_);
  while (order_ == Order::run) {
    if (save_interval_.count() == 0) {
      changed_.wait(lock);
    } else if (monotonic_now() >= saved_at_ + save_interval_) {
      return true;
    } else {
      changed_.wait_for(lock, saved_at_ + save_interval_ - monotonic_now());
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
