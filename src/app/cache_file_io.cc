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

#include "app/file_replacement_io.h"
#include "cache/snapshot.h"
#include "transport/socket_io.h"

namespace sotto {

namespace {

using Outcome = CacheFileResult::Outcome;

UtcTime utc_now() {
  return std::chrono::floor<std::chrono::milliseconds>(wall_now());
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

FileDone write_ready(FileReplacement& file, SnapshotEncoder& encoder) {
  if (encoder.ready().empty()) return {};
  const FileDone done = file.write(encoder.ready());
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
  FileDone done = check_replaceable(path);
  if (!done) return failure(done.error(), false);
  FileReplacement file(path, calls);
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
  if (const FileDone done = check_replaceable(path); !done) return failure(done.error(), false);
  FileReplacement file(path, calls);
  const FileDone done = file.create();
  if (file.busy()) return ended(Outcome::busy, done.error());
  return done ? CacheFileResult() : failure(done.error());
}

CacheFileResult remove_cache_file(const std::string& path, FileCalls& calls) {
  if (const FileDone done = check_replaceable(path); !done) return failure(done.error(), false);
  if (calls.unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return failure(file_trouble("cannot remove " + path, errno));
}

CacheFileResult load_cache(Cache& cache, const std::string& path, const TtlRules& rules,
                           std::uint32_t generation, const GoOn& go_on) {
  return CacheFileReader(cache, rules, generation, go_on).run(path);
}

}  // namespace sotto
