// The cache as a file: what is written so that answers survive a restart, and how it is read back
// without trust. No I/O here. The format is described in ARCHITECTURE.md, "The cache's file".
// Tests: tests/unit/cache/snapshot_test.cc, tests/fuzz/snapshot_fuzz.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "dns/answer.h"
#include "dns/question.h"

namespace sotto {

// Milliseconds since 1970 UTC: the time of another process, maybe of another machine.
using UtcTime = std::chrono::sys_time<std::chrono::milliseconds>;

// Clocks are set by hand and by NTP; what is dated a little ahead is believed.
inline constexpr std::chrono::milliseconds future_tolerance = std::chrono::minutes{2};

// The largest entry: scope, expiry, TTL, RCODE, EDE, and a message of 65,535 octets.
inline constexpr std::size_t snapshot_entry_octets_max =
    4 + 8 + 4 + 2 + 1 + 2 + ede_text_octets_max + 2 + message_octets_max;
// What is verified at once, and all that reading needs of memory.
inline constexpr std::size_t snapshot_chunk_octets_max = std::size_t{256} * 1'024;
static_assert(snapshot_entry_octets_max <= snapshot_chunk_octets_max);

// Writes a snapshot piece by piece.
class SnapshotEncoder {
 public:
  explicit SnapshotEncoder(UtcTime created);

  // answer: one that apply_ttl_rules() allowed; its TTLs are those of when it was stored. Left out
  // if by a clock that is far off it expires at no sensible date.
  void add(const Question& question, const Answer& answer, UtcTime stored);
  // After the last entry.
  void finish();

  std::uint64_t entries() const { return entries_; }
  // What is ready to be written. It grows by a chunk now and then; valid until the next call of
  // another function.
  std::span<const std::uint8_t> ready() const { return ready_; }
  void clear_ready() { ready_.clear(); }

 private:
  void end_chunk();
  void seal(std::span<const std::uint8_t> part);

  std::vector<std::uint8_t> ready_;
  std::vector<std::uint8_t> chunk_;
  std::uint64_t checksum_ = 0;
  std::uint64_t entries_ = 0;
};

// An entry as it stands in a snapshot: its parts have sensible lengths and values; the message is
// still any octets that begin like a response to question.
struct SavedEntry {
  Question question;
  UtcTime stored;
  std::uint32_t ttl = 0;  // the lowest of its answer's
  std::uint16_t rcode = 0;
  std::span<const std::uint8_t> extended_error;  // code and text, or empty
  std::span<const std::uint8_t> message;

  // Parses the message as an upstream's would be. False unless it is an answer without a fault
  // whose lowest TTL is ttl.
  bool to_answer(Answer& answer) const;
};

// Reads a snapshot in pieces whose sizes it says, each checked before anything in it is used.
class SnapshotDecoder {
 public:
  explicit SnapshotDecoder(UtcTime now) : now_(now) {}

  // How many octets take() wants next; at most snapshot_chunk_octets_max and a checksum. Zero: the
  // file must end here.
  std::size_t wanted() const { return wanted_; }
  // Error::foreign_file, other_version, future_date, damaged_file: then nothing more can be read.
  Result<void> take(std::span<const std::uint8_t> octets);

  // Goes over the entries of the chunk that was taken last, while its octets are there.
  bool next(SavedEntry& entry);

  UtcTime created() const { return created_; }
  // In all chunks taken so far.
  std::uint64_t entries() const { return entries_; }

 private:
  enum class Part : std::uint8_t { magic, header, length, chunk, trailer, end };

  Result<void> take_magic(std::span<const std::uint8_t> octets);
  Result<void> take_header(std::span<const std::uint8_t> octets);
  Result<void> take_chunk(std::span<const std::uint8_t> octets);
  bool verify(std::span<const std::uint8_t> octets);

  static constexpr std::size_t magic_octets = 8;

  const UtcTime now_;
  Part part_ = Part::magic;
  std::size_t wanted_ = magic_octets;
  UtcTime created_;
  std::uint64_t checksum_ = 0;
  std::uint64_t entries_ = 0;
  std::span<const std::uint8_t> chunk_;  // what next() has not given yet
};

}  // namespace sotto
