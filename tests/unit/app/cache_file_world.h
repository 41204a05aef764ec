// A directory of its own, answers to keep, and system calls that fail or stop where a test says.
#pragma once

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "app/cache_file_io.h"
#include "base/random.h"
#include "cache/snapshot.h"
#include "make_message.h"

namespace sotto::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "sotto-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::size_t files() const {
    const std::filesystem::directory_iterator begin(path_);
    return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

inline std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline Question question_of(const std::string& name) {
  return Question(wire(name), rtype::a, rclass::in, {});
}

inline Answer answer_to(const std::string& name, std::uint32_t ttl) {
  Answer answer;
  EXPECT_TRUE(rewrite_response(
      join({header({.flags = 0x8180, .answers = 1}), question(name, rtype::a), address(1, ttl)}),
      question_of(name), answer));
  return answer;
}

// A cache of its own, in which no time passes unless a test says so.
struct KeptCache {
  explicit KeptCache(std::size_t octets = std::size_t{4} << 20U) : cache(octets, now, random) {}

  void store(const std::string& name, std::uint32_t ttl = 3'600, Duration age = {}) {
    const Question asked = question_of(name);
    cache.store(asked, cache.hash(asked), answer_to(name, ttl), monotonic_now() - age,
                cache.generation());
  }
  void store_many(const std::string& prefix, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) store(prefix + std::to_string(i) + ".example");
  }
  Cache::State find(const std::string& name, Answer& answer) {
    const Question asked = question_of(name);
    return cache.find(asked, cache.hash(asked), monotonic_now(), answer).state;
  }
  bool knows(const std::string& name) {
    Answer answer;
    return find(name, answer) != Cache::State::absent;
  }

  Random random{1};
  const Instant now = monotonic_now();
  Cache cache;
};

inline UtcTime utc_now() {
  return std::chrono::floor<std::chrono::milliseconds>(wall_now());
}

struct Saved {
  std::string name;
  Duration age{};
  std::uint32_t ttl = 3'600;
};

inline std::string snapshot_text(const std::vector<Saved>& entries, UtcTime created = utc_now()) {
  SnapshotEncoder encoder(created);
  for (const Saved& entry : entries) {
    encoder.add(question_of(entry.name), answer_to(entry.name, entry.ttl),
                std::chrono::floor<std::chrono::milliseconds>(utc_now() - entry.age));
  }
  encoder.finish();
  return {encoder.ready().begin(), encoder.ready().end()};
}

// Counts the calls; lets one fail, or none happen from one on, as after a kill.
class FaultyCalls : public FileCalls {
 public:
  static constexpr std::size_t no_call = SIZE_MAX;

  std::size_t fail_at = no_call;
  std::size_t die_at = no_call;
  int error = ENOSPC;
  std::size_t write_octets_max = SIZE_MAX;
  std::string trace;  // a letter for each call

  int create(const std::string& path) override { return may('c') ? FileCalls::create(path) : -1; }
  int open_existing(const std::string& path) override {
    return may('o') ? FileCalls::open_existing(path) : -1;
  }
  int lock(int fd) override { return may('l') ? FileCalls::lock(fd) : -1; }
  int open_directory(const std::string& path) override {
    return may('d') ? FileCalls::open_directory(path) : -1;
  }
  ssize_t write(int fd, const void* octets, std::size_t count) override {
    const bool dies = trace.size() == die_at;
    if (dies) FileCalls::write(fd, octets, count / 2);
    return may('w') ? FileCalls::write(fd, octets, std::min(count, write_octets_max)) : -1;
  }
  int sync(int fd) override { return may('s') ? FileCalls::sync(fd) : -1; }
  int close(int fd) override {
    // A descriptor is gone whatever close(2) returns.
    const int closed = FileCalls::close(fd);
    return may('x') ? closed : -1;
  }
  int rename(const std::string& from, const std::string& to) override {
    return may('r') ? FileCalls::rename(from, to) : -1;
  }
  int unlink(const std::string& path) override { return may('u') ? FileCalls::unlink(path) : -1; }

 private:
  bool may(char call) {
    const std::size_t number = trace.size();
    trace += call;
    errno = error;
    return number != fail_at && number < die_at;
  }
};

inline CacheFileResult save(const Cache& cache, const std::string& path) {
  FileCalls calls;
  return save_cache(cache, path, calls, [] { return true; });
}

inline CacheFileResult load(Cache& cache, const std::string& path, const TtlRules& rules = {}) {
  return load_cache(cache, path, rules, cache.generation(), [] { return true; });
}

}  // namespace sotto::test
