// Snapshots of the cache: any octets are taken apart without harm, and what is accepted of them is,
// written and read again, the same. The input is a flag octet (1: put right checksums into the file
// first, so that what lies behind them is reached) and a file.
#define XXH_INLINE_ALL
#include <optional>
#include <vector>
#include <xxhash.h>

#include "cache/snapshot.h"
#include "check.h"
#include "dns/wire.h"
#include "naive_message.h"

namespace {

using namespace sotto;

constexpr std::size_t checksum_octets = 8;
const UtcTime now{std::chrono::milliseconds{1'700'000'000'000}};

struct Kept {
  Question question;
  Answer answer;
  UtcTime stored;
};

// Seals the part of this size at at; returns where the next begins, or nothing at the file's end.
std::optional<std::size_t> seal(std::vector<std::uint8_t>& file, std::size_t at, std::size_t size,
                                std::uint64_t& checksum) {
  if (at > file.size() || file.size() - at < size + checksum_octets) return {};
  checksum = XXH3_64bits_withSeed(file.data() + at, size, checksum);
  store32(file.data() + at + size, static_cast<std::uint32_t>(checksum >> 32U));
  store32(file.data() + at + size + 4, static_cast<std::uint32_t>(checksum & 0xFFFF'FFFFU));
  return at + size + checksum_octets;
}

void repair(std::vector<std::uint8_t>& file) {
  std::uint64_t checksum = 0;
  auto at = seal(file, 8, 12, checksum);
  while (at && file.size() - *at >= 4) {
    const std::size_t length = load32(file.data() + *at);
    at = seal(file, *at + 4, length == 0 ? 8 : length, checksum);
  }
}

// Whether the file is accepted as a whole.
bool decode(std::span<const std::uint8_t> file, std::vector<Kept>& kept) {
  SnapshotDecoder decoder(now);
  while (const std::size_t wanted = decoder.wanted()) {
    SOTTO_CHECK(wanted <= snapshot_chunk_octets_max + checksum_octets);
    if (file.size() < wanted || !decoder.take(file.first(wanted))) return false;
    SavedEntry saved;
    while (decoder.next(saved)) {
      Answer answer;
      if (saved.to_answer(answer)) kept.push_back({saved.question, answer, saved.stored});
    }
    file = file.subspan(wanted);
  }
  return file.empty();
}

void check_equal(const Kept& left, const Kept& right) {
  SOTTO_CHECK(left.question == right.question && left.stored == right.stored);
  SOTTO_CHECK(left.answer.message == right.answer.message);
  SOTTO_CHECK(left.answer.rcode == right.answer.rcode);
  SOTTO_CHECK(left.answer.ttl_min == right.answer.ttl_min);
  const auto& error = left.answer.extended_error;
  SOTTO_CHECK(error.has_value() == right.answer.extended_error.has_value());
  if (error) {
    SOTTO_CHECK(error->code == right.answer.extended_error->code);
    SOTTO_CHECK(error->text == right.answer.extended_error->text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  std::vector<std::uint8_t> file(data + 1, data + size);
  if ((data[0] & 1U) != 0) repair(file);
  std::vector<Kept> kept;
  if (!decode(file, kept)) return 0;
  SnapshotEncoder encoder(now);
  for (const Kept& entry : kept) {
    const auto message = test::naive_message(entry.answer.message);
    SOTTO_CHECK(message && message->end == entry.answer.message.size());
    for (const auto& record : message->records) SOTTO_CHECK(record.ttl >= entry.answer.ttl_min);
    encoder.add(entry.question, entry.answer, entry.stored);
  }
  encoder.finish();
  SOTTO_CHECK(encoder.entries() == kept.size());
  std::vector<Kept> again;
  SOTTO_CHECK(decode(encoder.ready(), again));
  SOTTO_CHECK(again.size() == kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i) check_equal(kept[i], again[i]);
  return 0;
}
