#include "app/cache_commands.h"

#include <gtest/gtest.h>

#include "../dns/make_message.h"

namespace sotto {
namespace {

using test::join;
using test::record;
using test::to_qname;
using test::wire;

constexpr std::uint16_t response_flags = 0x8180;

// Of www.example, kept ten seconds ago with a TTL of 300.
CachedEntry entry(std::uint16_t type, const test::Octets& records, std::uint16_t count = 1) {
  CachedEntry kept;
  kept.question = Question(wire("www.example"), type, rclass::in, {});
  kept.answer.message = join({test::header({.flags = response_flags, .answers = count}),
                              test::question("www.example", type), records});
  kept.age = std::chrono::seconds{10};
  kept.ttl = 300;
  return kept;
}

CachedEntry address_entry() {
  return entry(rtype::a, record(to_qname, rtype::a, 300, test::octets({192, 0, 2, 1})));
}

class FakeCache final : public CacheControl {
 public:
  std::size_t flush() override {
    flushed = "everything";
    return entries.size();
  }
  std::size_t flush(std::span<const std::uint8_t> name, bool below) override {
    flushed = name_to_text(name) + (below ? " and below" : "");
    return forgotten;
  }
  void visit(const std::function<void(const CachedEntry&)>& callback) const override {
    for (const CachedEntry& kept : entries) callback(kept);
  }
  CacheStats stats() const override { return {1, 2, 3, 4, 5}; }
  LookupTotals lookups() const override { return totals; }

  std::vector<CachedEntry> entries;
  std::string flushed;
  std::size_t forgotten = 1;
  LookupTotals totals{9'876, 124, 6, 7, 8, 9};
};

TEST(CacheCommands, EntriesAreShownAsTheyAreNow) {
  CachedEntry fresh = address_entry();
  EXPECT_EQ(entry_text(fresh),
            "; www.example. IN A, RD, NOERROR, fresh for 290 s\n"
            "www.example.\t290\tIN\tA\t192.0.2.1\n");

  CachedEntry stale = fresh;
  stale.age = std::chrono::seconds{400};
  EXPECT_EQ(entry_text(stale),
            "; www.example. IN A, RD, NOERROR, expired 100 s ago\n"
            "www.example.\t0\tIN\tA\t192.0.2.1\n");

  CachedEntry flagged = fresh;
  flagged.question =
      Question(wire("www.example"), rtype::a, rclass::in,
               {.recursion_desired = false, .checking_disabled = true, .dnssec_ok = true});
  EXPECT_EQ(entry_text(flagged).substr(0, entry_text(flagged).find('\n')),
            "; www.example. IN A, CD, DO, NOERROR, fresh for 290 s");

  CachedEntry failure = entry(rtype::a, {}, 0);
  failure.failure = true;
  failure.answer.rcode = rcode::servfail;
  failure.answer.extended_error = ExtendedError{22, "no \x1b[2J answer"};
  EXPECT_EQ(entry_text(failure),
            "; www.example. IN A, RD, SERVFAIL, failure remembered 10 s ago, EDE 22 (No Reachable "
            "Authority): \"no \\027[2J answer\"\n");

  const CachedEntry unknown =
      entry(65'280, record(to_qname, 65'280, 300, test::octets({1, 2, 255})));
  EXPECT_EQ(entry_text(unknown),
            "; www.example. IN TYPE65280, RD, NOERROR, fresh for 290 s\n"
            "www.example.\t290\tIN\tTYPE65280\t\\# 3 0102ff\n");
}

TEST(CacheCommands, ShowFindsTheNameInAnyCaseAndSorts) {
  FakeCache cache;
  cache.entries = {entry(rtype::txt, record(to_qname, rtype::txt, 300, test::octets({1, 'x'}))),
                   address_entry()};
  CachedEntry other = address_entry();
  other.question = Question(wire("www.example.net"), rtype::a, rclass::in, {});
  cache.entries.push_back(other);
  const ControlCommands commands = cache_commands(cache);
  EXPECT_EQ(run_call(commands, "cache.show WWW.example."),
            ControlResult(entry_text(cache.entries[1]) + entry_text(cache.entries[0])));
  EXPECT_EQ(run_call(commands, "cache.show example."),
            ControlResult("; nothing is kept of example.\n"));
}

TEST(CacheCommands, ShowIsBounded) {
  FakeCache cache;
  const test::Octets large(60'000, 'x');
  const test::Octets records = record(to_qname, 65'280, 300, large);
  for (std::uint16_t type = 65'281; type < 65'281 + 200; ++type) {
    cache.entries.push_back(entry(type, records));
  }
  const ControlResult shown = run_call(cache_commands(cache), "cache.show www.example.");
  ASSERT_TRUE(shown.has_value());
  EXPECT_GT(shown->size(), cache_show_octets_max / 2);
  EXPECT_LT(shown->size(), cache_show_octets_max + 100);
  EXPECT_TRUE(shown->ends_with("; more is kept than is shown here\n"));
}

TEST(CacheCommands, FlushSaysHowMany) {
  FakeCache cache;
  cache.entries = {address_entry(), address_entry()};
  const ControlCommands commands = cache_commands(cache);
  EXPECT_EQ(run_call(commands, "cache.flush"), ControlResult("2 entries forgotten\n"));
  EXPECT_EQ(cache.flushed, "everything");
  EXPECT_EQ(run_call(commands, "cache.flush a\\032b.example"),
            ControlResult("1 entry forgotten\n"));
  EXPECT_EQ(cache.flushed, "a\\032b.example.");
  EXPECT_EQ(run_call(commands, "cache.flush example. below"), ControlResult("1 entry forgotten\n"));
  EXPECT_EQ(cache.flushed, "example. and below");
  cache.forgotten = 0;
  EXPECT_EQ(run_call(commands, "cache.flush example."),
            ControlResult("0 entries forgotten; --below forgets the names below it, too\n"));
  EXPECT_EQ(run_call(commands, "cache.flush example. below"),
            ControlResult("0 entries forgotten\n"));
}

TEST(CacheCommands, StatsAreANameAndAValueOnEachLine) {
  FakeCache cache;
  EXPECT_EQ(run_call(cache_commands(cache), "cache.stats"),
            ControlResult("entries 1\noctets 2\noctets_max 3\nstored 4\nevicted 5\nhits 9876\n"
                          "misses 124\nstale 6\nfailures_held 7\nprefetched 8\nrechecked 9\n"
                          "hit_ratio 0.9876\n"));
  struct Case {
    std::uint64_t hits;
    std::uint64_t misses;
    const char* ratio;
  };
  const Case cases[] = {{0, 0, "0.0000"}, {0, 5, "0.0000"},      {5, 0, "1.0000"},
                        {1, 3, "0.2500"}, {99'999, 1, "0.9999"}, {1, 99'999, "0.0000"}};
  for (const Case& c : cases) {
    cache.totals = {c.hits, c.misses, 0, 0, 0, 0};
    const ControlResult stats = run_call(cache_commands(cache), "cache.stats");
    EXPECT_TRUE(stats->ends_with("hit_ratio " + std::string(c.ratio) + "\n")) << *stats;
  }
}

TEST(CacheCommands, WrongArgumentsDoNothing) {
  FakeCache cache;
  const ControlCommands commands = cache_commands(cache);
  for (const char* line : {"cache.flush a..b", "cache.flush a. b.", "cache.flush a. below x",
                           "cache.show", "cache.show a. b.", "cache.show \\", "cache.stats a."}) {
    EXPECT_FALSE(run_call(commands, line).has_value()) << line;
  }
  EXPECT_EQ(cache.flushed, "");
}

}  // namespace
}  // namespace sotto
