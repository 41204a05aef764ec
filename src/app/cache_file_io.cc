#include "app/cache_file_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <tl/expected.hpp>
#include <unistd.h>
#include <utility>
#include <vector>

#include "cache/snapshot.h"
#include "transport/socket_io.h"

namespace sotto {

int FileCalls::create(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int FileCalls::open_directory(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

ssize_t FileCalls::write(int fd, const void* octets, std::size_t count) {
  return ::write(fd, octets, count);
}

int FileCalls::sync(int fd) {
  return ::fsync(fd);
}

int FileCalls::close(int fd) {
  return ::close(fd);
}

int FileCalls::rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str());
}

int FileCalls::unlink(const std::string& path) {
  return ::unlink(path.c_str());
}

namespace {

using Outcome = CacheFileResult::Outcome;
using Done = tl::expected<void, std::string>;  // or why not

UtcTime utc_now() {
  return std::chrono::floor<std::chrono::milliseconds>(wall_now());
}

// With what to do about it, where that is clear.
std::string trouble(std::string_view what, int error) {
  std::string text = std::string(what) + ": " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT) text += "; free some space";
  if (error == EACCES || error == EPERM || error == EROFS) {
    text += "; its directory must be writable for sotto";
  }
  if (error == ENOENT || error == ENOTDIR) text += "; its directory must exist";
  return text;
}

tl::unexpected<std::string> failed(std::string_view what) {
  return tl::unexpected<std::string>(trouble(what, errno));
}

CacheFileResult failure(std::string reason, bool may_replace = true) {
  CacheFileResult result;
  result.outcome = Outcome::failed;
  result.reason = std::move(reason);
  result.may_replace = may_replace;
  return result;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

// A new file that takes the place of path when it is complete, else vanishes.
class Replacement {
 public:
  Replacement(std::string path, FileCalls& calls)
      : path_(std::move(path)), new_path_(path_ + ".new"), calls_(calls) {}
  ~Replacement() {
    if (fd_ >= 0) calls_.close(fd_);
    if (exists_) calls_.unlink(new_path_);
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  Done create();
  Done write(std::span<const std::uint8_t> octets);
  Done take_place();

 private:
  Done sync_directory();

  const std::string path_;
  const std::string new_path_;
  FileCalls& calls_;
  int fd_ = -1;
  bool exists_ = false;
};

Done Replacement::create() {
  // Left over from a process that was killed.
  if (calls_.unlink(new_path_) != 0 && errno != ENOENT) return failed("cannot remove " + new_path_);
  fd_ = calls_.create(new_path_);
  if (fd_ < 0) return failed("cannot create " + new_path_);
  exists_ = true;
  return {};
}

Done Replacement::write(std::span<const std::uint8_t> octets) {
  while (!octets.empty()) {
    const ssize_t written = calls_.write(fd_, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("cannot write " + new_path_);
    octets = octets.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

// The content reaches the disk before the name does, and the name before this returns.
Done Replacement::take_place() {
  if (calls_.sync(fd_) != 0) return failed("cannot write " + new_path_);
  // Some network file systems tell only now that there was no room.
  if (calls_.close(std::exchange(fd_, -1)) != 0) return failed("cannot write " + new_path_);
  if (calls_.rename(new_path_, path_) != 0) return failed("cannot replace " + path_);
  exists_ = false;
  return sync_directory();
}

Done Replacement::sync_directory() {
  const int directory = calls_.open_directory(directory_of(path_));
  // A directory may be writable and not readable; then the kernel chooses when.
  if (directory < 0 && errno == EACCES) return {};
  if (directory < 0) return failed("cannot open the directory of " + path_);
  const bool synced = calls_.sync(directory) == 0;
  const Done done = synced ? Done() : failed("cannot write the directory of " + path_);
  calls_.close(directory);
  return done;
}

// What stands under the name must be a file, or nothing: /dev/null and links stay what they are.
Done check_replaceable(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (S_ISREG(status.st_mode)) return {};
  return tl::unexpected<std::string>(path + " is not a regular file");
}

Done write_ready(Replacement& file, SnapshotEncoder& encoder) {
  if (encoder.ready().empty()) return {};
  const Done done = file.write(encoder.ready());
  encoder.clear_ready();
  return done;
}

class CacheFileReader {
 public:
  CacheFileReader(Cache& cache, const TtlRules& rules, const GoOn& go_on)
      : cache_(cache), rules_(rules), go_on_(go_on), generation_(cache.generation()) {
    // What was kept is never given for longer than it was to be kept.
    rules_.ttl_min = 0;
  }

  CacheFileResult run(const std::string& path);

 private:
  // Reads the file from its begin; each_chunk(decoder) says whether to go on.
  template <class EachChunk>
  CacheFileResult read(EachChunk each_chunk);
  // Octets read into buffer, fewer than wanted only at the end of the file.
  tl::expected<std::size_t, std::string> fill(std::size_t wanted);
  bool take_up(const SavedEntry& saved, UtcTime utc, Instant now);
  bool take_up_all(SnapshotDecoder& decoder, CacheFileResult& result);

  Cache& cache_;
  TtlRules rules_;
  const GoOn& go_on_;
  const std::uint32_t generation_;
  UniqueFd fd_;
  std::vector<std::uint8_t> buffer_;
  Answer answer_;
};

CacheFileResult CacheFileReader::run(const std::string& path) {
  // Without O_NONBLOCK a named pipe would be waited for.
  fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd_.get() < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    CacheFileResult result;
    result.outcome = Outcome::absent;
    return result;
  }
  if (fd_.get() < 0 && errno == ELOOP) return failure("a symbolic link is not followed", false);
  if (fd_.get() < 0) return failure(std::strerror(errno));
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return failure(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return failure("not a regular file", false);
  const bool ours = status.st_uid == ::geteuid() || status.st_uid == 0;
  if (!ours || (status.st_mode & S_IWOTH) != 0) return failure("others can write it");

  CacheFileResult checked = read([](SnapshotDecoder&, CacheFileResult&) { return true; });
  if (checked.outcome != Outcome::done) return checked;
  return read([this](SnapshotDecoder& decoder, CacheFileResult& result) {
    return take_up_all(decoder, result);
  });
}

template <class EachChunk>
CacheFileResult CacheFileReader::read(EachChunk each_chunk) {
  if (::lseek(fd_.get(), 0, SEEK_SET) != 0) return failure(std::strerror(errno));
  CacheFileResult result;
  SnapshotDecoder decoder(utc_now());
  for (bool first = true; decoder.wanted() > 0; first = false) {
    const std::size_t wanted = decoder.wanted();
    const auto got = fill(wanted);
    if (!got) return failure(got.error());
    if (*got < wanted) {
      const bool foreign = first && *got > 0;
      return failure(std::string(describe(foreign ? Error::foreign_file : Error::damaged_file)),
                     !foreign);
    }
    const auto taken = decoder.take(std::span(buffer_).first(wanted));
    if (!taken) {
      return failure(std::string(describe(taken.error())), taken.error() != Error::foreign_file);
    }
    if (!go_on_()) result.outcome = Outcome::interrupted;
    if (result.outcome != Outcome::done || !each_chunk(decoder, result)) return result;
  }
  const auto behind = fill(1);
  if (!behind) return failure(behind.error());
  if (*behind > 0) return failure(std::string(describe(Error::damaged_file)));
  return result;
}

tl::expected<std::size_t, std::string> CacheFileReader::fill(std::size_t wanted) {
  buffer_.resize(std::max(buffer_.size(), wanted));
  std::size_t filled = 0;
  while (filled < wanted) {
    const ssize_t got = ::read(fd_.get(), buffer_.data() + filled, wanted - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected<std::string>(std::strerror(errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

bool CacheFileReader::take_up_all(SnapshotDecoder& decoder, CacheFileResult& result) {
  SavedEntry saved;
  while (decoder.next(saved)) {
    if (!go_on_()) {
      result.outcome = Outcome::interrupted;
      return false;
    }
    // What is in the file is older than the flush.
    if (cache_.generation() != generation_) {
      result.outcome = Outcome::overtaken;
      return false;
    }
    ++(take_up(saved, utc_now(), monotonic_now()) ? result.entries : result.skipped);
  }
  return true;
}

bool CacheFileReader::take_up(const SavedEntry& saved, UtcTime utc, Instant now) {
  if (saved.stored > utc + future_tolerance) return false;
  if (!saved.to_answer(answer_) || !apply_ttl_rules(answer_, saved.question, rules_)) return false;
  const auto age = std::clamp<UtcTime::duration>(
      utc - saved.stored, UtcTime::duration{0},
      std::chrono::duration_cast<UtcTime::duration>(CacheClock::age_max));
  return cache_.restore(saved.question, answer_, age, now, generation_);
}

}  // namespace

CacheFileResult save_cache(const Cache& cache, const std::string& path, FileCalls& calls,
                           const GoOn& go_on) {
  Done done = check_replaceable(path);
  if (!done) return failure(done.error(), false);
  Replacement file(path, calls);
  done = file.create();
  SnapshotEncoder encoder(utc_now());
  bool going_on = true;
  for (std::size_t shard = 0; shard < cache.shards() && done && going_on; ++shard) {
    const UtcTime utc = utc_now();
    cache.visit(shard, monotonic_now(), [&](const CachedEntry& entry) {
      going_on = going_on && go_on();
      if (!going_on || !done || entry.failure) return;
      const auto age = std::chrono::duration_cast<UtcTime::duration>(entry.age);
      encoder.add(entry.question, entry.answer, utc - age);
      done = write_ready(file, encoder);
    });
  }
  CacheFileResult result;
  result.entries = encoder.entries();
  if (done && going_on) {
    encoder.finish();
    done = write_ready(file, encoder);
    going_on = go_on();
  }
  if (done && going_on) done = file.take_place();
  if (!done) return failure(done.error());
  if (!going_on) result.outcome = Outcome::interrupted;
  return result;
}

CacheFileResult probe_cache_file(const std::string& path, FileCalls& calls) {
  if (const Done done = check_replaceable(path); !done) return failure(done.error(), false);
  Replacement file(path, calls);
  const Done done = file.create();
  return done ? CacheFileResult() : failure(done.error());
}

CacheFileResult load_cache(Cache& cache, const std::string& path, const TtlRules& rules,
                           const GoOn& go_on) {
  return CacheFileReader(cache, rules, go_on).run(path);
}

}  // namespace sotto
