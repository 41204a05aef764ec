// Random responses of every shape the rewriting knows: the rewritten message means what the
// original meant, and rewriting it again changes nothing.
#include <gtest/gtest.h>
#include <map>
#include <tuple>

#include "base/random.h"
#include "dns/answer.h"
#include "make_message.h"
#include "naive_message.h"

namespace sotto {
namespace {

using test::join;
using test::NaiveMessage;
using test::NaiveRecord;
using test::Octets;

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  Octets response(std::string_view qname, std::uint16_t qtype) {
    const test::Header counts = {
        .id = random_.next16(),
        .flags = static_cast<std::uint16_t>(0x8000 | (random_.next16() & 0x07FF)),
        .answers = static_cast<std::uint16_t>(random_.below(12)),
        .authorities = static_cast<std::uint16_t>(random_.below(4)),
        .additionals = static_cast<std::uint16_t>(random_.below(6))};
    message_ = join({test::header(counts), test::question(qname, qtype)});
    name_starts_ = {12};
    for (int i = counts.answers + counts.authorities + counts.additionals; i > 0; --i) add_record();
    return message_;
  }

 private:
  void put(std::initializer_list<unsigned> values) {
    const Octets octets = test::octets(values);
    message_.insert(message_.end(), octets.begin(), octets.end());
  }

  void put_name() {
    const std::size_t start = message_.size();
    for (std::uint64_t labels = random_.below(3); labels > 0; --labels) {
      const char* const words[] = {"www", "example", "WWW", "a", "com", "Example"};
      const std::string_view word = words[random_.below(6)];
      message_.push_back(static_cast<std::uint8_t>(word.size()));
      message_.insert(message_.end(), word.begin(), word.end());
    }
    if (random_.below(4) > 0) {
      const std::size_t target = name_starts_[random_.below(name_starts_.size())];
      put({0xC0U | static_cast<unsigned>(target >> 8U), static_cast<unsigned>(target & 0xFFU)});
    } else {
      put({0});
    }
    if (start < 0x3FFF) name_starts_.push_back(start);
  }

  void put_any(std::size_t count) {
    for (; count > 0; --count) message_.push_back(static_cast<std::uint8_t>(random_.next16()));
  }

  void add_record() {
    constexpr std::uint16_t types[] = {1,  1,  1,  28, 5,  2,  6,  12, 15, 16,
                                       17, 24, 30, 33, 35, 39, 46, 47, 50, 65};
    const std::uint16_t type = types[random_.below(std::size(types))];
    if (random_.below(2) == 0) {
      put({0xC0, 12});
    } else {
      put_name();
    }
    const unsigned ttl = static_cast<unsigned>(random_.below(4)) * 100;
    put({0, type, 0, random_.below(9) == 0 ? 3U : 1U, random_.below(9) == 0 ? 0x80U : 0U, 0,
         ttl >> 8U, ttl & 0xFFU, 0, 0});
    const std::size_t begin = message_.size();
    put_rdata(type);
    store16(message_.data() + begin - 2, static_cast<std::uint16_t>(message_.size() - begin));
  }

  void put_rdata(std::uint16_t type) {
    switch (type) {
      case 1:
        return put_any(4);
      case 28:
        return put_any(16);
      case 5:
      case 2:
      case 12:
        return put_name();
      case 6:
        put_name();
        put_name();
        return put_any(20);
      case 15:
        put_any(2);
        return put_name();
      case 17:
        put_name();
        return put_name();
      case 24:
        put_any(18);
        put_name();
        return put_any(random_.below(20));
      case 30:
        put_name();
        return put_any(random_.below(20));
      case 33:
        put_any(6);
        return put_name();
      case 35:
        put_any(4);
        put({1, 'u', 0, 2, 'x', 'y'});
        return put_name();
      default:
        return put_any(random_.below(40));
    }
  }

  Random random_;
  Octets message_;
  std::vector<std::size_t> name_starts_;
};

bool is_kept(const NaiveRecord& record, const Question& question) {
  const bool dnssec = record.type == 46 || record.type == 47 || record.type == 50;
  return record.type != 41 &&
         (!dnssec || question.flags().dnssec_ok || question.type() == record.type);
}

using RrsetName = std::tuple<int, test::Labels, unsigned, unsigned, std::string>;

RrsetName rrset_of(const NaiveRecord& record) {
  const std::string covered = record.type == 46 ? record.rdata.substr(0, 2) : std::string();
  return {record.section, record.owner, record.type, record.rclass, covered};
}

void expect_equal_meaning(const NaiveMessage& before, const NaiveMessage& after,
                          const Question& question) {
  std::vector<NaiveRecord> expected;
  for (const NaiveRecord& record : before.records) {
    if (is_kept(record, question)) expected.push_back(record);
  }
  ASSERT_EQ(after.records.size(), expected.size());
  std::map<RrsetName, unsigned long> lowest;
  for (NaiveRecord& record : expected) {
    record.ttl = std::min(record.ttl, 0x7FFF'FFFFUL);
    const auto at = lowest.emplace(rrset_of(record), record.ttl).first;
    at->second = std::min(at->second, record.ttl);
  }
  std::map<RrsetName, unsigned long> found;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    NaiveRecord record = after.records[i];
    // Equal inside an RRset, never longer than sent; scattered RRsets may share a lower one.
    EXPECT_LE(record.ttl, lowest.at(rrset_of(record)));
    EXPECT_EQ(found.emplace(rrset_of(record), record.ttl).first->second, record.ttl);
    record.ttl = expected[i].ttl;
    EXPECT_EQ(record, expected[i]);
  }
  EXPECT_EQ(after.qtype, before.qtype);
  EXPECT_EQ(after.flags, before.flags & 0x022FU);
}

// No RRset continues behind an end.
void expect_whole_rrsets(const Answer& answer, const NaiveMessage& after) {
  std::map<RrsetName, std::size_t> unit_of;
  std::size_t index = 0;
  for (std::size_t unit = 0; unit < answer.rrset_ends.size(); ++unit) {
    const RrsetEnd& end = answer.rrset_ends[unit];
    const std::size_t records = std::size_t{end.answers} + end.authorities + end.additionals;
    for (; index < records; ++index) {
      EXPECT_EQ(unit_of.emplace(rrset_of(after.records.at(index)), unit).first->second, unit);
    }
  }
  EXPECT_EQ(index, after.records.size());
}

TEST(AnswerProperty, RewritingKeepsTheMeaningAndIsIdempotent) {
  Answer answer;
  std::size_t refused = 0;
  for (std::uint64_t seed = 0; seed < 4'000; ++seed) {
    const char* const qname = seed % 7 == 0 ? "." : "www.example.com";
    const std::uint16_t qtype = seed % 5 == 0 ? rtype::rrsig : rtype::a;
    const Question question(test::wire(qname), qtype, 1, {.dnssec_ok = seed % 2 == 0});
    const Octets message = Generator(seed).response(qname, qtype);
    const auto before = test::naive_message(message);
    const auto done = rewrite_response(message, question, answer);
    // Names may have grown beyond 255 octets; both readers see it.
    ASSERT_EQ(done.has_value(), before.has_value()) << seed;
    if (!done) {
      ++refused;
      continue;
    }
    const auto after = test::naive_message(answer.message);
    ASSERT_TRUE(after) << seed;
    EXPECT_EQ(after->end, answer.message.size());
    expect_equal_meaning(*before, *after, question);
    expect_whole_rrsets(answer, *after);

    Octets again = answer.message;
    again[2] |= 0x80;
    const std::vector<std::uint8_t> first = answer.message;
    ASSERT_TRUE(rewrite_response(again, question, answer)) << seed;
    EXPECT_EQ(answer.message, first) << seed;
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_LT(refused, 400U);
}

}  // namespace
}  // namespace sotto
