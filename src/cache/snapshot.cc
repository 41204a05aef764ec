#include "cache/snapshot.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "base/hash.h"
#include "dns/extended_error.h"
#include "dns/name.h"
#include "dns/wire.h"

namespace sotto {
namespace {

// The line ends and the end-of-file sign tell of a transfer that took the file for text.
constexpr std::array<std::uint8_t, 8> magic = {'s', 'o', 't', 't', 'o', '\r', '\n', 0x1A};
constexpr std::uint32_t format_version = 1;
constexpr std::size_t header_octets_behind_magic = 4 + 8;  // version, time of creation
constexpr std::size_t checksum_octets = 8;
constexpr std::size_t length_octets = 4;
constexpr std::size_t count_octets = 8;

// The year 9999: beyond it nothing is a date, and sums of two dates still fit.
constexpr std::uint64_t utc_max = 253'402'300'799'999;
// Bits of Question::scope() that mean something: RD, CD, DO and the route.
constexpr std::uint32_t scope_mask = 0x07FF'FFFF;
constexpr std::uint16_t rcode_max = 0xFFF;
constexpr std::uint32_t ttl_max = 0x7FFF'FFFF;  // RFC 2181 §8

void append(std::vector<std::uint8_t>& to, std::span<const std::uint8_t> octets) {
  to.insert(to.end(), octets.begin(), octets.end());
}

void append_number(std::vector<std::uint8_t>& to, std::uint64_t value, std::size_t octets) {
  for (std::size_t i = octets; i-- > 0;) {
    to.push_back(static_cast<std::uint8_t>(value >> (8 * i) & 0xFFU));
  }
}

std::uint64_t milliseconds_of(UtcTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

std::uint64_t take64(WireReader& reader) {
  const std::uint64_t high = reader.take32();
  return (high << 32U) | reader.take32();
}

// The question a message in the form of Answer::message asks. Empty octets if there is none.
std::span<const std::uint8_t> question_octets(std::span<const std::uint8_t> message) {
  if (message.size() < header_octets || load16(message.data() + 4) != 1) return {};
  const auto behind_header = message.subspan(header_octets);
  const std::size_t name = plain_name_octets(behind_header);
  if (name == 0 || behind_header.size() < name + question_tail_octets) return {};
  return behind_header.first(name + question_tail_octets);
}

bool parse_entry(WireReader& reader, SavedEntry& entry) {
  const std::uint32_t scope = reader.take32();
  const std::uint64_t expires = take64(reader);
  entry.ttl = reader.take32();
  entry.rcode = reader.take16();
  entry.extended_error = reader.take(reader.take8());
  entry.message = reader.take(reader.take16());
  const auto asked = question_octets(entry.message);
  if (!reader.ok() || asked.empty() || (scope & ~scope_mask) != 0 || expires > utc_max) {
    return false;
  }
  const std::size_t ede_octets = entry.extended_error.size();
  if (ede_octets == 1 || ede_octets > 2 + ede_text_octets_max) return false;
  if (entry.ttl == 0 || entry.ttl > ttl_max || entry.rcode > rcode_max) return false;
  const std::chrono::milliseconds life = std::chrono::seconds{entry.ttl};
  entry.stored = UtcTime(std::chrono::milliseconds{expires}) - life;
  const auto name = asked.first(asked.size() - question_tail_octets);
  const std::uint8_t* const tail = asked.data() + name.size();
  entry.question = Question::with_scope(name, load16(tail), load16(tail + 2), scope);
  return true;
}

}  // namespace

SnapshotEncoder::SnapshotEncoder(UtcTime created) {
  ready_.reserve(snapshot_chunk_octets_max + length_octets + checksum_octets);
  chunk_.reserve(snapshot_chunk_octets_max);
  append(ready_, magic);
  append_number(ready_, format_version, 4);
  append_number(ready_, milliseconds_of(std::max(created, UtcTime{})), 8);
  seal(std::span(ready_).last(header_octets_behind_magic));
}

void SnapshotEncoder::add(const Question& question, const Answer& answer, UtcTime stored) {
  assert(answer.message.size() <= message_octets_max && answer.ttl_min > 0);
  const UtcTime expires = stored + std::chrono::seconds{answer.ttl_min};
  if (expires < UtcTime{} || milliseconds_of(expires) > utc_max) return;
  if (chunk_.size() + snapshot_entry_octets_max - message_octets_max + answer.message.size() >
      snapshot_chunk_octets_max) {
    end_chunk();
  }
  append_number(chunk_, question.scope(), 4);
  append_number(chunk_, milliseconds_of(expires), 8);
  append_number(chunk_, answer.ttl_min, 4);
  append_number(chunk_, answer.rcode, 2);
  if (!answer.extended_error) {
    append_number(chunk_, 0, 1);
  } else {
    const std::string_view text = answer.extended_error->text;
    append_number(chunk_, 2 + text.size(), 1);
    append_number(chunk_, answer.extended_error->code, 2);
    chunk_.insert(chunk_.end(), text.begin(), text.end());
  }
  append_number(chunk_, answer.message.size(), 2);
  append(chunk_, answer.message);
  ++entries_;
}

void SnapshotEncoder::finish() {
  end_chunk();
  append_number(ready_, 0, length_octets);
  append_number(ready_, entries_, count_octets);
  seal(std::span(ready_).last(count_octets));
}

void SnapshotEncoder::end_chunk() {
  if (chunk_.empty()) return;
  append_number(ready_, chunk_.size(), length_octets);
  append(ready_, chunk_);
  seal(chunk_);
  chunk_.clear();
}

// Each checksum seeds the next, so that parts cannot change places or come from another file.
void SnapshotEncoder::seal(std::span<const std::uint8_t> part) {
  checksum_ = keyed_hash(part, checksum_);
  append_number(ready_, checksum_, checksum_octets);
}

bool SavedEntry::to_answer(Answer& answer) const {
  std::vector<std::uint8_t> response(message.begin(), message.end());
  response[2] |= static_cast<std::uint8_t>(flag::response >> 8U);
  if (!rewrite_response(response, question, answer)) return false;
  if (answer.edns || answer.rcode != (rcode & flag::rcode_mask) || answer.ttl_min != ttl) {
    return false;
  }
  answer.rcode = rcode;
  if (!extended_error.empty()) answer.extended_error = read_extended_error(extended_error);
  return !answer.truncated();
}

Result<void> SnapshotDecoder::take(std::span<const std::uint8_t> octets) {
  assert(octets.size() == wanted_);
  chunk_ = {};
  switch (part_) {
    case Part::magic:
      return take_magic(octets);
    case Part::header:
      return take_header(octets);
    case Part::length: {
      const std::size_t length = load32(octets.data());
      if (length > snapshot_chunk_octets_max) return fail(Error::damaged_file);
      part_ = length == 0 ? Part::trailer : Part::chunk;
      wanted_ = (length == 0 ? count_octets : length) + checksum_octets;
      return {};
    }
    case Part::chunk:
      return take_chunk(octets);
    case Part::trailer: {
      WireReader reader(octets);
      if (!verify(octets) || take64(reader) != entries_) return fail(Error::damaged_file);
      part_ = Part::end;
      wanted_ = 0;
      return {};
    }
    case Part::end:
      break;  // nothing is wanted any more
  }
  assert(false && "octets behind the end of a snapshot");
  return fail(Error::damaged_file);
}

Result<void> SnapshotDecoder::take_magic(std::span<const std::uint8_t> octets) {
  if (!std::ranges::equal(octets, magic)) return fail(Error::foreign_file);
  part_ = Part::header;
  wanted_ = header_octets_behind_magic + checksum_octets;
  return {};
}

Result<void> SnapshotDecoder::take_header(std::span<const std::uint8_t> octets) {
  WireReader reader(octets);
  // Another version may look different from here on, its checksum included.
  if (reader.take32() != format_version) return fail(Error::other_version);
  const std::uint64_t created = take64(reader);
  if (!verify(octets) || created > utc_max) return fail(Error::damaged_file);
  created_ = UtcTime(std::chrono::milliseconds{created});
  if (created_ > now_ + future_tolerance) return fail(Error::future_date);
  part_ = Part::length;
  wanted_ = length_octets;
  return {};
}

Result<void> SnapshotDecoder::take_chunk(std::span<const std::uint8_t> octets) {
  if (!verify(octets)) return fail(Error::damaged_file);
  const auto chunk = octets.first(octets.size() - checksum_octets);
  chunk_ = chunk;
  // Each entry shortens what is left of the chunk.
  for (SavedEntry entry; !chunk_.empty(); ++entries_) {
    if (!next(entry)) return fail(Error::damaged_file);
  }
  chunk_ = chunk;
  part_ = Part::length;
  wanted_ = length_octets;
  return {};
}

bool SnapshotDecoder::verify(std::span<const std::uint8_t> octets) {
  const auto part = octets.first(octets.size() - checksum_octets);
  WireReader reader(octets, part.size());
  checksum_ = keyed_hash(part, checksum_);
  return take64(reader) == checksum_;
}

bool SnapshotDecoder::next(SavedEntry& entry) {
  WireReader reader(chunk_);
  if (chunk_.empty() || !parse_entry(reader, entry)) return false;
  chunk_ = chunk_.subspan(reader.position());
  return true;
}

}  // namespace sotto
