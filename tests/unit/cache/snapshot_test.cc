#include "cache/snapshot.h"

#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "base/random.h"
#include "frame_snapshot.h"

namespace sotto {
namespace {

using namespace std::chrono_literals;
using test::address;
using test::join;
using test::Octets;
using test::octets;

const UtcTime now{std::chrono::milliseconds{1'700'000'000'123}};

struct Kept {
  Question question;
  Answer answer;
  UtcTime stored;
};

// Milliseconds, where a snapshot has them.
std::uint64_t count(UtcTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

Answer rewritten(const Octets& response, const Question& question) {
  Answer answer;
  EXPECT_TRUE(rewrite_response(response, question, answer));
  return answer;
}

Kept address_of(std::string_view name, UtcTime stored, std::uint32_t ttl = 300) {
  const Question question(test::wire(name), rtype::a, rclass::in, {});
  return {question,
          rewritten(join({test::header({.flags = 0x8180, .answers = 1}),
                          test::question(name, rtype::a), address(1, ttl)}),
                    question),
          stored};
}

// One entry of a random shape; all of them differ in name.
Kept random_entry(Random& random, std::size_t number) {
  const std::string name = "n" + std::to_string(number) + ".Example.com";
  const bool dnssec = random.below(2) == 0;
  const auto type = static_cast<std::uint16_t>(1 + random.below(300));
  const Question question(
      test::wire(name), type, static_cast<std::uint16_t>(random.below(4)),
      {.recursion_desired = random.below(2) == 0,
       .checking_disabled = random.below(2) == 0,
       .dnssec_ok = dnssec},
      RouteId::from_number(static_cast<std::uint32_t>(random.below(1U << 24U))));
  Octets records;
  const auto answers = static_cast<std::uint16_t>(1 + random.below(40));
  for (unsigned i = 0; i < answers; ++i) {
    Octets text(1 + random.below(200), static_cast<std::uint8_t>(i));
    const auto ttl = static_cast<std::uint32_t>(1 + random.below(100'000));
    records = join({records, test::record(test::to_qname, 16, ttl, text)});
  }
  const Octets ede = random.below(2) == 0
                         ? Octets()
                         : test::option(15, join({test::octets16(22), test::octets_of("späte")}));
  const std::uint32_t high_rcode = random.below(4) == 0 ? 0x0100'0000 : 0;
  const auto flags = static_cast<std::uint16_t>(0x8180 | (random.below(2) == 0 ? 0x20 : 0) |
                                                (random.below(2) == 0 ? 3 : 0));
  Answer answer = rewritten(
      join({test::header({.flags = flags, .answers = answers, .additionals = 1}),
            test::question(name, type, question.qclass()), records, test::opt(ede, high_rcode)}),
      question);
  const auto age = std::chrono::milliseconds{static_cast<std::int64_t>(random.below(100'000'000))};
  return {question, std::move(answer), now - age};
}

Octets encode(const std::vector<Kept>& entries, UtcTime created = now) {
  Octets file;
  SnapshotEncoder encoder(created);
  const auto move_ready = [&] {
    // A whole chunk and what stands around it; never the file.
    EXPECT_LE(encoder.ready().size(), snapshot_chunk_octets_max + 64);
    file.insert(file.end(), encoder.ready().begin(), encoder.ready().end());
    encoder.clear_ready();
  };
  for (const Kept& entry : entries) {
    encoder.add(entry.question, entry.answer, entry.stored);
    move_ready();
  }
  encoder.finish();
  move_ready();
  EXPECT_EQ(encoder.entries(), entries.size());
  return file;
}

struct Read {
  std::vector<Kept> entries;
  std::size_t unusable = 0;  // messages that are none
  std::optional<Error> error;
};

// As whoever reads a file does.
Read decode(std::span<const std::uint8_t> file, UtcTime at = now) {
  Read read;
  SnapshotDecoder decoder(at);
  while (decoder.wanted() > 0) {
    const std::size_t wanted = decoder.wanted();
    EXPECT_LE(wanted, snapshot_chunk_octets_max + 8);
    if (file.size() < wanted) {
      read.error = Error::damaged_file;
      return read;
    }
    if (const auto taken = decoder.take(file.first(wanted)); !taken) {
      read.error = taken.error();
      return read;
    }
    SavedEntry saved;
    while (decoder.next(saved)) {
      Kept entry{saved.question, {}, saved.stored};
      if (saved.to_answer(entry.answer)) {
        read.entries.push_back(std::move(entry));
      } else {
        ++read.unusable;
      }
    }
    file = file.subspan(wanted);
  }
  if (!file.empty()) read.error = Error::damaged_file;
  return read;
}

void expect_equal(const Kept& left, const Kept& right) {
  EXPECT_EQ(left.question, right.question);
  EXPECT_EQ(left.question.scope(), right.question.scope());
  EXPECT_EQ(left.stored, right.stored);
  EXPECT_EQ(left.answer.message, right.answer.message);
  EXPECT_EQ(left.answer.rcode, right.answer.rcode);
  EXPECT_EQ(left.answer.ttl_min, right.answer.ttl_min);
  EXPECT_EQ(left.answer.authentic(), right.answer.authentic());
  ASSERT_EQ(left.answer.rrset_ends.size(), right.answer.rrset_ends.size());
  for (std::size_t i = 0; i < left.answer.rrset_ends.size(); ++i) {
    EXPECT_EQ(left.answer.rrset_ends[i].offset, right.answer.rrset_ends[i].offset);
  }
  ASSERT_EQ(left.answer.extended_error.has_value(), right.answer.extended_error.has_value());
  if (left.answer.extended_error) {
    EXPECT_EQ(left.answer.extended_error->code, right.answer.extended_error->code);
    EXPECT_EQ(left.answer.extended_error->text, right.answer.extended_error->text);
  }
}

std::vector<Kept> a_few() {
  std::vector<Kept> entries = {address_of("a.example", now - 10s), address_of("b.example", now)};
  entries[1].answer.extended_error = ExtendedError{.code = 4, .text = "forged"};
  return entries;
}

TEST(Snapshot, WhatIsWrittenIsRead) {
  Random random(1);
  std::vector<Kept> entries;
  for (std::size_t i = 0; i < 500; ++i) entries.push_back(random_entry(random, i));
  const Octets file = encode(entries);
  ASSERT_GT(file.size(), 3 * snapshot_chunk_octets_max);
  const Read read = decode(file);
  EXPECT_FALSE(read.error);
  EXPECT_EQ(read.unusable, 0U);
  ASSERT_EQ(read.entries.size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) expect_equal(entries[i], read.entries[i]);
  EXPECT_EQ(encode(read.entries), file);
}

TEST(Snapshot, AnEmptyCacheIsASnapshot) {
  const Read read = decode(encode({}));
  EXPECT_FALSE(read.error);
  EXPECT_TRUE(read.entries.empty());
}

TEST(Snapshot, TheLargestAnswersFit) {
  const Question question(test::wire("big.example"), 16, rclass::in, {});
  Octets response = join({test::header({.flags = 0x8180}), test::question("big.example", 16)});
  constexpr std::size_t record_octets = 12 + 1'000;
  std::uint16_t records = 0;
  for (; response.size() + record_octets <= message_octets_max; ++records) {
    response = join({response, test::record(test::to_qname, 16, 60, Octets(1'000, 7))});
  }
  const std::size_t last = message_octets_max - response.size() - 12;
  response = join({response, test::record(test::to_qname, 16, 60, Octets(last, 8))});
  response[7] = static_cast<std::uint8_t>(records + 1);
  ASSERT_EQ(response.size(), message_octets_max);
  const Kept big{question, rewritten(response, question), now};
  const std::vector<Kept> entries(9, big);
  const Read read = decode(encode(entries));
  EXPECT_FALSE(read.error);
  ASSERT_EQ(read.entries.size(), entries.size());
  expect_equal(read.entries.back(), big);
}

TEST(Snapshot, TheFormatIsWhatIsDocumented) {
  Kept entry = address_of("a.example", now - 10s);
  const Octets chunk = test::frame_entry(
      {.expires = count(now + 290s), .extended_error = {}, .message = entry.answer.message});
  EXPECT_EQ(encode({entry}),
            test::frame_snapshot({.created = count(now), .chunks = {chunk}, .entries = 1}));
}

// The whole file is covered: nothing can change without being seen.
TEST(Snapshot, EveryChangedBitIsSeen) {
  const Octets good = encode(a_few());
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Octets bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      ASSERT_TRUE(decode(bad).error) << "octet " << at << ", bit " << bit;
    }
  }
}

TEST(Snapshot, EveryCutIsSeen) {
  const Octets good = encode(a_few());
  for (std::size_t size = 0; size < good.size(); ++size) {
    ASSERT_EQ(decode(std::span(good).first(size)).error, Error::damaged_file) << size;
  }
}

TEST(Snapshot, RegionsThatAreZeroedLostOrRepeatedAreSeen) {
  Random random(2);
  std::vector<Kept> entries;
  for (std::size_t i = 0; i < 300; ++i) entries.push_back(random_entry(random, i));
  const Octets good = encode(entries);
  constexpr std::size_t block = 4'096;  // as a disk loses them
  for (std::size_t at = 0; at < good.size(); at += block) {
    const auto begin = static_cast<std::ptrdiff_t>(at);
    const auto end = static_cast<std::ptrdiff_t>(std::min(at + block, good.size()));
    Octets zeroed = good;
    std::fill(zeroed.begin() + begin, zeroed.begin() + end, std::uint8_t{0});
    EXPECT_TRUE(decode(zeroed).error) << at;
    Octets lost = good;
    lost.erase(lost.begin() + begin, lost.begin() + end);
    EXPECT_TRUE(decode(lost).error) << at;
    Octets repeated = good;
    repeated.insert(repeated.begin() + end, good.begin() + begin, good.begin() + end);
    EXPECT_TRUE(decode(repeated).error) << at;
  }
}

TEST(Snapshot, ChunksCannotChangePlaces) {
  const auto chunk = [](std::string_view name) {
    return test::frame_entry(
        {.extended_error = {}, .message = address_of(name, now).answer.message});
  };
  test::SnapshotFrame frame{.chunks = {chunk("a.example"), chunk("b.example")}, .entries = 2};
  const Octets good = test::frame_snapshot(frame);
  EXPECT_EQ(decode(good).entries.size(), 2U);
  // Each with its length and checksum.
  const auto octets = static_cast<std::ptrdiff_t>(4 + frame.chunks[0].size() + 8);
  const std::ptrdiff_t first = 8 + 4 + 8 + 8;
  Octets swapped = good;
  std::swap_ranges(swapped.begin() + first, swapped.begin() + first + octets,
                   swapped.begin() + first + octets);
  ASSERT_NE(swapped, good);
  EXPECT_EQ(decode(swapped).error, Error::damaged_file);
  frame.entries = 3;
  EXPECT_EQ(decode(test::frame_snapshot(frame)).error, Error::damaged_file);
}

TEST(Snapshot, ForeignAndOtherFilesAreToldApart) {
  EXPECT_EQ(decode(test::octets_of("[[upstream]]\nname = \"quad9\"\n")).error, Error::foreign_file);
  EXPECT_EQ(decode(test::frame_snapshot({.version = 2, .chunks = {}})).error, Error::other_version);
  EXPECT_EQ(decode(test::frame_snapshot({.version = 0, .chunks = {}})).error, Error::other_version);
}

TEST(Snapshot, AFileFromTheFutureIsNotRead) {
  const Octets file = encode(a_few());
  EXPECT_FALSE(decode(file, now - future_tolerance).error);
  EXPECT_EQ(decode(file, now - future_tolerance - 1ms).error, Error::future_date);
  EXPECT_FALSE(decode(file, now + std::chrono::years{50}).error);
}

TEST(Snapshot, AClockFarOffHarmsNoOtherEntry) {
  SnapshotEncoder encoder(UtcTime{} - 1h);
  const Kept entry = address_of("a.example", now);
  encoder.add(entry.question, entry.answer, UtcTime{} - 301s);
  encoder.add(entry.question, entry.answer, UtcTime{} - 300s);
  encoder.add(entry.question, entry.answer, now + std::chrono::years{9'000});
  encoder.finish();
  EXPECT_EQ(encoder.entries(), 1U);
  const Read read = decode(encoder.ready());
  EXPECT_FALSE(read.error);
  EXPECT_EQ(read.entries.size(), 1U);
}

// Behind right checksums: a file made by somebody else, or by a mistake of ours.
TEST(Snapshot, StructureIsCheckedBehindTheChecksums) {
  const Octets message = address_of("a.example", now).answer.message;
  Octets two_questions = message;
  two_questions[5] = 2;
  Octets bad_name = message;
  bad_name[12] = 0xC0;
  const struct {
    std::string_view why;
    test::EntryFrame entry;
  } cases[] = {
      {"a flag nobody knows", {.scope = 0x0900'0000, .extended_error = {}, .message = message}},
      {"a date beyond dates", {.expires = UINT64_MAX, .extended_error = {}, .message = message}},
      {"TTL 0", {.ttl = 0, .extended_error = {}, .message = message}},
      {"a TTL beyond RFC 2181", {.ttl = 0x8000'0000, .extended_error = {}, .message = message}},
      {"an RCODE of 13 bits", {.rcode = 0x1000, .extended_error = {}, .message = message}},
      {"half an EDE code", {.extended_error = {0}, .message = message}},
      {"a long EDE text", {.extended_error = Octets(67, 'x'), .message = message}},
      {"no message", {.extended_error = {}, .message = {}}},
      {"half a header", {.extended_error = {}, .message = Octets(11, 0)}},
      {"no question", {.extended_error = {}, .message = Octets(12, 0)}},
      {"two questions", {.extended_error = {}, .message = two_questions}},
      {"a pointer as name", {.extended_error = {}, .message = bad_name}},
      {"a question cut short",
       {.extended_error = {}, .message = Octets(message.begin(), message.begin() + 26)}},
  };
  for (const auto& [why, entry] : cases) {
    const Octets file = test::frame_snapshot({.chunks = {test::frame_entry(entry)}, .entries = 1});
    EXPECT_EQ(decode(file).error, Error::damaged_file) << why;
  }
  const Octets long_chunk(snapshot_chunk_octets_max + 1, 0);
  EXPECT_EQ(decode(test::frame_snapshot({.chunks = {long_chunk}})).error, Error::damaged_file);
  const Octets good = test::frame_entry({.extended_error = {}, .message = message});
  EXPECT_EQ(decode(test::frame_snapshot({.chunks = {join({good, {0}})}, .entries = 1})).error,
            Error::damaged_file);
}

TEST(Snapshot, MessagesAreParsedLikeAnUpstreams) {
  const Octets question = test::question("a.example", rtype::a);
  const auto message = [&question](std::uint16_t flags, std::uint16_t answers,
                                   const Octets& records) {
    return join({test::header({.id = 0, .flags = flags, .answers = answers}), question, records});
  };
  const struct {
    std::string_view why;
    test::EntryFrame entry;
    bool used;
  } cases[] = {
      {"right", {.extended_error = {}, .message = message(0, 1, address(1))}, true},
      {"it claims less life than its records",
       {.ttl = 299, .extended_error = {}, .message = message(0, 1, address(1))},
       false},
      {"it claims more life than its records",
       {.ttl = 301, .extended_error = {}, .message = message(0, 1, address(1))},
       false},
      {"a record is missing", {.extended_error = {}, .message = message(0, 2, address(1))}, false},
      {"an address of three octets",
       {.extended_error = {},
        .message = message(0, 1, test::record(test::to_qname, rtype::a, 300, octets({1, 2, 3})))},
       false},
      {"truncated", {.extended_error = {}, .message = message(0x0200, 1, address(1))}, false},
      {"another opcode", {.extended_error = {}, .message = message(0x2800, 1, address(1))}, false},
      {"another RCODE than its own",
       {.rcode = 3, .extended_error = {}, .message = message(0, 1, address(1))},
       false},
      {"an RCODE of EDNS",
       {.rcode = 16, .extended_error = {}, .message = message(0, 1, address(1))},
       true},
  };
  for (const auto& [why, entry, used] : cases) {
    const Read read =
        decode(test::frame_snapshot({.chunks = {test::frame_entry(entry)}, .entries = 1}));
    EXPECT_FALSE(read.error) << why;
    EXPECT_EQ(read.entries.size(), used ? 1U : 0U) << why;
    EXPECT_EQ(read.unusable, used ? 0U : 1U) << why;
  }
}

}  // namespace
}  // namespace sotto
