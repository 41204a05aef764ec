#include "app/cache_file_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
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

int FileCalls::open_existing(const std::string& path) {
  // Over NFS only who may write may lock.
  return ::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int FileCalls::lock(int fd) {
  return ::flock(fd, LOCK_EX | LOCK_NB);
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
  return text;
}

tl::unexpected<std::string> failed(std::string_view what) {
  return tl::unexpected<std::string>(trouble(what, errno));
}

CacheFileResult ended(Outcome outcome, std::string reason = {}) {
  CacheFileResult result;
  result.outcome = outcome;
  result.reason = std::move(reason);
  return result;
}

CacheFileResult failure(std::string reason, bool may_replace = true) {
  CacheFileResult result = ended(Outcome::failed, std::move(reason));
  result.may_replace = may_replace;
  return result;
}

// Does path name the file that fd is?
bool names(const std::string& path, const UniqueFd& fd) {
  struct stat named {};
  struct stat opened {};
  return ::lstat(path.c_str(), &named) == 0 && ::fstat(fd.get(), &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

// A new file that takes the place of path when it is complete, else vanishes. Only who has it
// locked may rename or remove it: several processes do not disturb each other, and one that is not
// locked was left by a process that was killed.
class Replacement {
 public:
  Replacement(std::string path, FileCalls& calls)
      : path_(std::move(path)), new_path_(path_ + ".new"), calls_(calls) {}
  ~Replacement() {
    if (fd_ >= 0) calls_.close(fd_);
    if (exists_ && names(new_path_, lock_)) calls_.unlink(new_path_);
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  Done create();
  // Why create() failed.
  bool busy() const { return busy_; }
  Done write(std::span<const std::uint8_t> octets);
  // The content reaches the disk before the name does, and that is there before the last returns.
  Done complete();
  Done take_place();
  Done sync_directory();

 private:
  Done lock(const UniqueFd& fd);
  Done remove_left_over();
  Done create_locked();

  const std::string path_;
  const std::string new_path_;
  FileCalls& calls_;
  int fd_ = -1;
  UniqueFd lock_;  // the same file: locked until it has its place, closed or not
  bool exists_ = false;
  bool busy_ = false;
};

Done Replacement::create() {
  constexpr int attempts_max = 10;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    busy_ = false;
    Done done = remove_left_over();
    if (done && !busy_) done = create_locked();
    if (!busy_) return done;
    // Often the other only tries whether it could write, and is done at once.
  }
  return tl::unexpected<std::string>("another process is writing " + new_path_ +
                                     "; each sotto needs a cache.file of its own");
}

Done Replacement::lock(const UniqueFd& fd) {
  if (calls_.lock(fd.get()) == 0) {
    // The other may have put it in its place, or removed it, before the lock was ours.
    busy_ = !names(new_path_, fd);
    return {};
  }
  busy_ = errno == EWOULDBLOCK || errno == EINTR;
  return failed("cannot lock " + new_path_);
}

Done Replacement::remove_left_over() {
  const UniqueFd fd(calls_.open_existing(new_path_));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return {};
  if (fd) {
    const Done done = lock(fd);
    if (!done || busy_) return done;
  } else if (errno != ELOOP && errno != ENXIO && errno != EACCES) {
    return failed("cannot open " + new_path_);
  }  // else a link, a pipe, another user's: of no use to anybody
  if (calls_.unlink(new_path_) != 0 && errno != ENOENT) return failed("cannot remove " + new_path_);
  return {};
}

Done Replacement::create_locked() {
  fd_ = calls_.create(new_path_);
  if (fd_ < 0) {
    busy_ = errno == EEXIST;
    const bool no_directory = errno == ENOENT || errno == ENOTDIR;
    const std::string why = trouble("cannot create " + new_path_, errno);
    return tl::unexpected<std::string>(why + (no_directory ? "; its directory must exist" : ""));
  }
  exists_ = true;
  lock_ = UniqueFd(::fcntl(fd_, F_DUPFD_CLOEXEC, 0));
  if (!lock_) return failed("cannot keep " + new_path_ + " open");
  Done done = lock(lock_);
  if (busy_) {  // somebody took it for a left-over: it is theirs to remove
    exists_ = false;
    calls_.close(std::exchange(fd_, -1));
  }
  return done;
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

Done Replacement::complete() {
  if (calls_.sync(fd_) != 0) return failed("cannot write " + new_path_);
  // Some network file systems tell only now that there was no room.
  if (calls_.close(std::exchange(fd_, -1)) != 0) return failed("cannot write " + new_path_);
  return {};
}

Done Replacement::take_place() {
  if (!names(new_path_, lock_)) {
    return tl::unexpected<std::string>(new_path_ + " was taken away by another program");
  }
  if (calls_.rename(new_path_, path_) != 0) return failed("cannot replace " + path_);
  exists_ = false;
  return {};
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
  CacheFileReader(Cache& cache, const TtlRules& rules, std::uint32_t generation, const GoOn& go_on)
      : cache_(cache), rules_(rules), go_on_(go_on), generation_(generation) {
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
  // What is in the file is older than the flush. One of some names leaves the others; restore()
  // sorts them out.
  bool overtaken() const { return cache_.flushed_since(generation_, Question()); }
  // What must stop now cannot sort them out any more: then the file must not stay as it is.
  Outcome interruption() const {
    return cache_.generation() != generation_ ? Outcome::overtaken : Outcome::interrupted;
  }

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
    if (!go_on_()) result.outcome = interruption();
    if (overtaken()) result.outcome = Outcome::overtaken;
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
    const bool going_on = go_on_();
    if (overtaken() || !going_on) {
      result.outcome = interruption();
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
                           const GoOn& go_on, const ClaimPlace& claim) {
  const std::uint32_t generation = cache.generation();
  Done done = check_replaceable(path);
  if (!done) return failure(done.error(), false);
  Replacement file(path, calls);
  done = file.create();
  if (file.busy()) return ended(Outcome::busy, done.error());
  SnapshotEncoder encoder(utc_now());
  bool going_on = true;
  const auto overtaken = [&] { return cache.generation() != generation; };
  for (std::size_t shard = 0; shard < cache.shards() && done && going_on && !overtaken(); ++shard) {
    const UtcTime utc = utc_now();
    cache.visit(shard, monotonic_now(), [&](const CachedEntry& entry) {
      going_on = going_on && go_on();
      if (!going_on || !done || entry.failure) return;
      const auto age = std::chrono::duration_cast<UtcTime::duration>(entry.age);
      encoder.add(entry.question, entry.answer, utc - age);
      done = write_ready(file, encoder);
    });
  }
  if (done && going_on && !overtaken()) {
    encoder.finish();
    done = write_ready(file, encoder);
    going_on = go_on();
    if (done && going_on) done = file.complete();
  }
  if (!done) return failure(done.error());
  if (!going_on) return ended(Outcome::interrupted);
  {
    const std::unique_lock<std::mutex> place = claim ? claim() : std::unique_lock<std::mutex>();
    if (overtaken() || (claim && !place.owns_lock())) return ended(Outcome::overtaken);
    done = file.take_place();
  }
  if (done) done = file.sync_directory();
  if (!done) return failure(done.error());
  CacheFileResult result;
  result.entries = encoder.entries();
  return result;
}

CacheFileResult probe_cache_file(const std::string& path, FileCalls& calls) {
  if (const Done done = check_replaceable(path); !done) return failure(done.error(), false);
  Replacement file(path, calls);
  const Done done = file.create();
  if (file.busy()) return ended(Outcome::busy, done.error());
  return done ? CacheFileResult() : failure(done.error());
}

CacheFileResult remove_cache_file(const std::string& path, FileCalls& calls) {
  if (const Done done = check_replaceable(path); !done) return failure(done.error(), false);
  if (calls.unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return failure(trouble("cannot remove " + path, errno));
}

CacheFileResult load_cache(Cache& cache, const std::string& path, const TtlRules& rules,
                           std::uint32_t generation, const GoOn& go_on) {
  return CacheFileReader(cache, rules, generation, go_on).run(path);
}

}  // namespace sotto
