// Too many wait: who is sent away, with what, and what becomes of the exchanges.
#include <random>
#include <set>

#include "forwarder/forwarder.h"
#include "forwarder_world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<std::uint8_t, 4> loud{10, 0, 0, 1};
constexpr std::array<std::uint8_t, 4> quiet{10, 0, 0, 2};

std::string numbered(std::uint64_t number) {
  return "n" + std::to_string(number) + ".example.";
}

std::vector<std::uint8_t> with_edns(std::vector<std::uint8_t> message) {
  store16(message.data() + 10, 1);
  const std::uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
  message.insert(message.end(), std::begin(opt), std::end(opt));
  return message;
}

class SheddingTest : public ForwarderTest {
 protected:
  // Asks as many names nobody else asks; who gets a response is told by the number.
  void flood(std::size_t count, std::array<std::uint8_t, 4> client = loud) {
    for (std::size_t at = 0; at < count; ++at) {
      ++last_;
      const auto message = with_edns(query(numbered(last_)));
      const auto now = forwarder_.answer_now({.address = client}, message, out_);
      ASSERT_EQ(now.outcome, Outcome::pending);
      forwarder_.forward({.sink = &clients_, .path = {}, .connection = last_});
    }
  }
  // The numbers of those that have got responses since the last call.
  std::vector<std::uint64_t> answered() {
    std::vector<std::uint64_t> numbers;
    for (const auto& response : clients_.responses) numbers.push_back(response.first);
    clients_.responses.clear();
    return numbers;
  }
  void connect() {
    const std::size_t count = opener_.count();
    for (std::size_t at = 0; at < count; ++at) {
      if (opener_.at(at).open() && !opener_.at(at).ready) opener_.at(at).become_ready();
    }
    exchanges_.end_turn();
  }
  // On every connection, until nothing more is asked.
  void respond_to_all() {
    for (bool asked = true; std::exchange(asked, false);) {
      connect();
      for (std::size_t at = 0; at < opener_.count(); ++at) {
        LinkScript& link = opener_.at(at);
        for (const SeenQuery& seen : link.queries()) {
          asked = true;
          if (link.open()) link.respond(seen.answer());
        }
      }
      exchanges_.end_turn();
    }
  }
  void advance(Duration time) {
    now_ += time;
    if (exchanges_.next_deadline() <= now_) exchanges_.on_deadline();
    if (forwarder_.next_deadline() <= now_) forwarder_.on_deadline();
    exchanges_.end_turn();
  }
  std::uint64_t finished() const {
    const ForwarderCounters& counters = counters_;
    return counters.answered.value() + counters.stale_waited.value() +
           counters.unauthenticated.value() + counters.unreachable.value() +
           counters.unanswered.value() + counters.unusable.value() + counters.shed.value() +
           counters.abandoned.value();
  }
  void expect_sums() const {
    const ForwarderCounters& counters = counters_;
    ASSERT_EQ(counters.queries.value(), counters.hits.value() + counters.misses.value() +
                                            counters.local.value() + counters.refused.value() +
                                            counters.malformed.value() + counters.dropped.value());
    ASSERT_EQ(counters.misses.value(), counters.coalesced.value() + counters.forwarded.value());
    ASSERT_EQ(counters.misses.value(), finished() + forwarder_.waiting());
  }

  std::uint64_t last_ = 0;
};

TEST_F(SheddingTest, AtItsBoundAClientLosesItsOldestQueriesAndNobodyElseDoes) {
  ask(query("quiet.example."), 1'000'000, quiet);
  flood(waiting_per_client_max);
  EXPECT_TRUE(clients_.responses.empty()) << "the bound itself is allowed";
  flood(3);
  ASSERT_EQ(clients_.responses.size(), 3U);
  const auto& response = clients_.responses.front().second;
  EXPECT_EQ(load16(response.data() + 2) & flag::rcode_mask, rcode::servfail);
  const std::string_view text = "too many queries are waiting for upstreams";
  EXPECT_NE(std::string(response.begin(), response.end()).find(text), std::string::npos) << "EDE";
  EXPECT_EQ(answered(), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(counters_.shed.value(), 3U);
  EXPECT_EQ(forwarder_.waiting(), waiting_per_client_max + 1);

  EXPECT_EQ(ask(query("localhost."), 1, loud), Outcome::answered) << "local answers go on";
  EXPECT_EQ(rcode(), rcode::noerror);
  EXPECT_EQ(ask(query("other.example."), 1'000'001, quiet), Outcome::pending);
  EXPECT_TRUE(answered().empty());
  expect_sums();
}

TEST_F(SheddingTest, AtTheBoundOfAllWhoWaitsMostGivesWay) {
  flood(2, quiet);
  const std::size_t crowd = waiting_queries_max / waiting_per_client_max;
  for (std::size_t at = 0; at < crowd; ++at) {
    flood(waiting_per_client_max - (at + 1 == crowd ? 2 : 0),
          {10, 0, 1, static_cast<std::uint8_t>(at)});
  }
  EXPECT_EQ(forwarder_.waiting(), waiting_queries_max);
  EXPECT_TRUE(answered().empty());
  flood(crowd + 1, {10, 0, 0, 3});
  std::vector<std::uint64_t> expected;  // of each that has as many the oldest, then again
  for (std::size_t at = 0; at + 1 < crowd; ++at)
    expected.push_back(3 + at * waiting_per_client_max);
  const std::size_t last_of_crowd = 3 + (crowd - 1) * waiting_per_client_max;
  expected.insert(expected.end(), {4, 4 + waiting_per_client_max});
  EXPECT_EQ(answered(), expected);
  EXPECT_LT(expected.back(), last_of_crowd);
  EXPECT_EQ(forwarder_.waiting(), waiting_queries_max);
  expect_sums();
}

// Whoever has many answers held and released in one pulse gets no more than its bound.
TEST_F(SheddingTest, AnswersToOneQuestionLeaveInPulsesOfAtMostTheBound) {
  for (std::uint64_t at = 1; at <= 3 * waiting_per_client_max; ++at) {
    ask(query("bomb.example."), at, loud);
    EXPECT_LE(clients_.responses.size(), 1U) << "what is shed leaves at once";
    clients_.responses.clear();
  }
  respond_to_all();
  EXPECT_EQ(answered().size(), waiting_per_client_max);
  EXPECT_EQ(counters_.shed.value(), 2 * waiting_per_client_max);
  EXPECT_EQ(counters_.forwarded.value(), 1U);
  expect_sums();
}

TEST_F(SheddingTest, CachedAnswersGoOnAtTheBound) {
  ask(query("kept.example."), 1, quiet);
  respond_to_all();
  flood(waiting_per_client_max + 10);
  EXPECT_EQ(ask(query("kept.example."), 1, loud), Outcome::answered);
  EXPECT_EQ(ask(query("kept.example."), 1, quiet), Outcome::answered);
  EXPECT_EQ(counters_.hits.value(), 2U);
}

TEST_F(SheddingTest, AnExchangeNobodyWaitsForEndsIfItWasNotAskedYet) {
  for (int round = 0; round < 5; ++round) {
    flood(waiting_per_client_max);
    exchanges_.end_turn();
  }
  EXPECT_EQ(counters_.shed.value(), 4 * waiting_per_client_max);
  EXPECT_EQ(exchanges_.in_progress(), waiting_per_client_max);
  advance(seconds{5});
  EXPECT_EQ(exchanges_.in_progress(), 0U);
  EXPECT_EQ(forwarder_.waiting(), 0U);
  EXPECT_EQ(counters_.unreachable.value(), waiting_per_client_max);
  expect_sums();
}

TEST_F(SheddingTest, AnExchangeThatWasAskedBringsItsAnswerToTheCache) {
  flood(1);
  connect();
  flood(waiting_per_client_max);
  EXPECT_EQ(answered(), (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(exchanges_.in_progress(), waiting_per_client_max + 1);
  respond_to_all();
  for (std::uint64_t number : answered()) EXPECT_NE(number, 1U) << "one response each";
  EXPECT_EQ(ask(query(numbered(1)), 1, loud), Outcome::answered);
  EXPECT_EQ(counters_.hits.value(), 1U);
}

TEST_F(SheddingTest, NoMoreAreInProgressThanWaitAndConnectionsHaveRoomFor) {
  ask(query("first.example."), 1, quiet);
  respond_to_all();
  clients_.responses.clear();
  std::size_t most = 0;
  for (int round = 0; round < 60; ++round) {
    flood(500);
    exchanges_.end_turn();
    connect();
    advance(milliseconds{50});  // silence: connections become suspect, new ones are opened
    most = std::max(most, exchanges_.in_progress());
  }
  EXPECT_GT(most, waiting_per_client_max);
  EXPECT_LE(most, waiting_per_client_max + connections_per_upstream_max * pipeline_queries_max);
  expect_sums();
  for (int second = 0; second < 6; ++second) advance(seconds{1});
  EXPECT_EQ(exchanges_.in_progress(), 0U);
  EXPECT_EQ(forwarder_.waiting(), 0U);
}

TEST_F(SheddingTest, OthersWhoWaitForTheSameWaitOn) {
  ask(query("shared.example."), 1'000'000, loud);
  ask(query("shared.example."), 1'000'001, quiet);
  flood(waiting_per_client_max);
  EXPECT_EQ(answered(), (std::vector<std::uint64_t>{1'000'000}));
  respond_to_all();
  const auto numbers = answered();
  EXPECT_EQ(std::count(numbers.begin(), numbers.end(), 1'000'001), 1);
  EXPECT_EQ(counters_.shed.value(), 1U);
}

TEST_F(SheddingTest, OneWhoAsksAgainJoinsWhatGoesOn) {
  flood(1);
  connect();
  flood(waiting_per_client_max);
  answered();
  EXPECT_EQ(ask(query(numbered(1)), 1'000'000, quiet), Outcome::pending);
  EXPECT_EQ(counters_.coalesced.value(), 1U);
  // As a client waits again, the query is asked again when its connection dies.
  opener_.at(0).die(FailureKind::transport);
  advance(milliseconds{100});
  respond_to_all();
  const auto numbers = answered();
  EXPECT_EQ(std::count(numbers.begin(), numbers.end(), 1'000'000), 1);
  expect_sums();
}

class SheddingStale : public SheddingTest {
 protected:
  SheddingStale() {
    forwarder_.apply({.names = {}, .ttl = {}, .prefetch_percent = 0});
    flood(1, quiet);
    respond_to_all();
    answered();
    now_ += seconds{400};
  }
};

TEST_F(SheddingStale, WhoHasAStaleAnswerToHopeForGetsIt) {
  EXPECT_EQ(ask(query(numbered(1)), 1'000'000, loud), Outcome::pending);
  flood(waiting_per_client_max);
  ASSERT_EQ(clients_.responses.size(), 1U);
  EXPECT_EQ(load16(clients_.responses[0].second.data() + 6), 1U) << "one record";
  EXPECT_EQ(counters_.shed.value(), 0U);
  EXPECT_EQ(counters_.stale_waited.value(), 1U);
  EXPECT_EQ(forwarder_.next_deadline(), never);
  expect_sums();
}

TEST_F(SheddingStale, AClientAtItsBoundGetsStaleAnswersAtOnce) {
  flood(waiting_per_client_max);
  EXPECT_EQ(ask(query(numbered(1)), 1'000'000, loud), Outcome::answered);
  EXPECT_EQ(counters_.stale.value(), 1U);
  EXPECT_EQ(counters_.rechecked.value(), 1U);
}

TEST_F(SheddingTest, RefreshesThatNobodyWaitsForHaveABoundOfTheirOwn) {
  const std::size_t names = background_exchanges_max + 50;
  forwarder_.apply({.names = {}, .ttl = {}, .prefetch_percent = 0});
  flood(names);
  respond_to_all();
  now_ += seconds{310};
  exchanges_.on_deadline();  // the connections were idle for too long
  last_ = 0;
  flood(names);
  EXPECT_EQ(exchanges_.in_progress(), names);
  advance(stale_client_timeout);
  EXPECT_EQ(counters_.stale_waited.value(), names);
  EXPECT_EQ(exchanges_.in_progress(), background_exchanges_max);
  expect_sums();
}

// Whatever happens in whatever order, every query has one outcome and the sums hold.
TEST_F(SheddingTest, CountersAddUpUnderAnySchedule) {
  std::mt19937 random(3);
  std::set<std::uint64_t> asked;
  std::uint64_t responses = 0;
  for (int round = 0; round < 800; ++round) {
    const auto client = random() % 8 == 0 ? quiet : loud;
    for (unsigned count = static_cast<unsigned>(random() % 80); count > 0; --count) {
      ask(query(numbered(random() % 30'000)), ++last_, client);
    }
    clients_.gone = random() % 20 == 0 ? 1 + random() % last_ : 0;
    for (std::size_t at = 0; at < opener_.count(); ++at) {
      LinkScript& link = opener_.at(at);
      if (!link.open()) continue;
      if (!link.ready && random() % 4 == 0) link.become_ready();
      if (random() % 60 == 0) {
        link.die(FailureKind::transport);
      } else if (link.ready && random() % 50 == 0) {
        for (const SeenQuery& seen : link.queries()) {
          if (link.open() && random() % 2 == 0) link.respond(seen.answer());
        }
      }
    }
    exchanges_.end_turn();
    advance(milliseconds{random() % 40 == 0 ? 300 : 5});
    expect_sums();
    for (const std::uint64_t number : answered()) {
      ++responses;
      EXPECT_TRUE(asked.insert(number).second) << "a second response";
    }
  }
  EXPECT_GT(counters_.shed.value(), 100U);
  EXPECT_GT(counters_.answered.value(), 100U);
  for (int second = 0; second < 6; ++second) advance(seconds{1});
  EXPECT_EQ(forwarder_.waiting(), 0U);
  EXPECT_EQ(exchanges_.in_progress(), 0U);
  responses += answered().size();
  EXPECT_EQ(responses + counters_.abandoned.value(), counters_.misses.value());
  expect_sums();
}

}  // namespace
}  // namespace sotto
