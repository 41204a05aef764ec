// What the forwarder makes of the cache: hits, refreshes ahead, stale answers, remembered failures.
#include "dns/record_walk.h"
#include "forwarder/forwarder.h"
#include "forwarder_world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The scripted answers' TTL.
constexpr seconds life{300};

std::uint32_t ttl_of(std::span<const std::uint8_t> response) {
  const std::size_t first =
      header_octets + plain_name_octets(response.subspan(header_octets)) + std::size_t{4};
  RecordWalk walk(response, first);
  return load32(response.data() + walk.next().ttl());
}

// edns_octets: that the client takes; 0: it does not speak EDNS.
std::vector<std::uint8_t> txt_query(std::string_view name, std::uint16_t edns_octets) {
  auto message = query(name);
  store16(message.data() + message.size() - 4, rtype::txt);
  if (edns_octets == 0) return message;
  store16(message.data() + 10, 1);
  std::uint8_t opt[] = {0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 0};
  store16(opt + 3, edns_octets);
  message.insert(message.end(), std::begin(opt), std::end(opt));
  return message;
}

// One record of so many octets.
std::vector<std::uint8_t> txt_response(const SeenQuery& seen, std::size_t rdata_octets) {
  auto message = seen.response(rcode::noerror);
  store16(message.data() + 6, 1);
  std::uint8_t record[] = {0xC0, 12, 0, 16, 0, 1, 0, 0, 1, 44, 0, 0};
  store16(record + 10, static_cast<std::uint16_t>(rdata_octets));
  message.insert(message.end(), std::begin(record), std::end(record));
  message.resize(message.size() + rdata_octets, 0xAB);
  return message;
}

class FromCacheTest : public ForwarderTest {
 protected:
  static constexpr std::string_view name = "www.example.";
  static constexpr std::uint8_t ede_bogus = 6;  // DNSSEC Bogus

  // As a worker's turns do.
  void advance(Duration time) {
    const Instant due = exchanges_.next_deadline();
    now_ += time;
    if (due <= now_) exchanges_.on_deadline();
    if (forwarder_.next_deadline() <= now_) forwarder_.on_deadline();
    exchanges_.end_turn();
  }
  // Has the name in the cache, as old as this.
  void have_answer(Duration age) {
    ask(query(name));
    respond(1);
    advance(age);
    clients_.responses.clear();
  }
  // What upstreams have been asked since the last call.
  std::vector<SeenQuery> asked() {
    if (opener_.count() == 0 || !opener_.last().open()) return {};
    return ready_link().queries();
  }
  void respond(std::uint8_t last_octet) {
    LinkScript& link = ready_link();
    for (const SeenQuery& seen : link.queries()) link.respond(seen.answer(last_octet));
    exchanges_.end_turn();
  }
  void respond_with(std::uint16_t rcode) {
    LinkScript& link = ready_link();
    for (const SeenQuery& seen : link.queries()) link.respond(seen.response(rcode));
    exchanges_.end_turn();
  }
  // With an EDE that says why. Returns how many queries got it.
  std::size_t respond_on_purpose(std::uint16_t rcode, std::uint8_t ede_code) {
    LinkScript& link = ready_link();
    const auto queries = link.queries();
    for (const SeenQuery& seen : queries) {
      auto refusal = seen.response(rcode);
      store16(refusal.data() + 10, 1);
      const std::uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, ede_code};
      refusal.insert(refusal.end(), std::begin(opt), std::end(opt));
      link.respond(refusal);
    }
    exchanges_.end_turn();
    return queries.size();
  }
  Outcome ask_again() { return ask(query(name)); }
};

// Of every size about where a response has to be cut, to clients of several sizes: what fits goes
// from the cache right into the response, what does not another way.
TEST_F(FromCacheTest, AHitIsTheMissOctetForOctet) {
  constexpr std::uint16_t no_edns = 0;
  unsigned names = 0;
  for (const std::uint16_t client : {no_edns, std::uint16_t{512}, std::uint16_t{1'232}}) {
    const std::size_t limit = client == no_edns ? 512U : client;
    for (std::size_t rdata = limit - 75; rdata < limit - 10; ++rdata) {
      const auto message = txt_query("n" + std::to_string(100 + names++) + ".example.", client);
      ASSERT_EQ(ask(message), Outcome::pending);
      LinkScript& link = ready_link();
      for (const SeenQuery& seen : link.queries()) link.respond(txt_response(seen, rdata));
      ASSERT_EQ(clients_.responses.size(), 1U);
      const auto miss = std::exchange(clients_.responses, {}).front().second;
      ASSERT_EQ(ask(message), Outcome::answered) << rdata;
      EXPECT_EQ(response_, miss) << rdata;
      EXPECT_LE(response_.size(), limit);
    }
  }
}

TEST_F(FromCacheTest, AHitAsksNobodyAndItsTtlAges) {
  have_answer(seconds{0});
  for (const int age : {0, 1, 100, 169}) {  // 0, 1, 101, 270 seconds in all
    advance(seconds{age});
    if (age == 169) forwarder_.apply({.names = {}, .ttl = {}, .prefetch_percent = 0});
    EXPECT_EQ(ask(query("wWw.Example.", 7)), Outcome::answered);
    EXPECT_EQ(load16(response_.data()), 7);
    EXPECT_EQ(response_[header_octets + 2], 'W') << "the client's spelling";
    EXPECT_EQ(asked().size(), 0U);
  }
  EXPECT_EQ(ttl_of(response_), 30U);
  EXPECT_EQ(counters_.hits.value(), 4U);
  EXPECT_EQ(counters_.misses.value(), 1U);
}

TEST_F(FromCacheTest, InTheLastTenthOneHitHasItAskedAnew) {
  forwarder_.apply({.names = {}, .ttl = {}, .prefetch_percent = 10});
  have_answer(seconds{269});
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(asked().size(), 0U);
  advance(seconds{1});
  for (int client = 0; client < 5; ++client) {
    EXPECT_EQ(ask_again(), Outcome::answered);
    EXPECT_EQ(ttl_of(response_), 30U);
  }
  EXPECT_EQ(counters_.prefetched.value(), 1U);
  respond(2);
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(ttl_of(response_), 300U);
  EXPECT_EQ(response_.back(), 2);
  EXPECT_EQ(counters_.forwarded.value(), 1U) << "no client ever waited again";
}

TEST_F(FromCacheTest, AFailedRefreshLeavesTheAnswerAlone) {
  forwarder_.apply({.names = {}, .ttl = {}, .prefetch_percent = 10});
  have_answer(seconds{275});
  ask_again();
  respond_with(rcode::servfail);
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::noerror);
  EXPECT_EQ(ttl_of(response_), 25U);
}

TEST_F(FromCacheTest, AStaleAnswerAfterTheClientsTimeoutAndThenAtOnce) {
  have_answer(life);
  EXPECT_EQ(ask_again(), Outcome::pending);
  EXPECT_EQ(asked().size(), 1U);
  advance(stale_client_timeout - milliseconds{1});
  EXPECT_EQ(clients_.responses.size(), 0U);
  advance(milliseconds{1});
  ASSERT_EQ(clients_.responses.size(), 1U);
  EXPECT_EQ(ttl_of(clients_.responses[0].second), stale_ttl);
  EXPECT_EQ(counters_.stale_waited.value(), 1U);
  EXPECT_EQ(ask_again(), Outcome::answered) << "nobody waits for the same silence again";
  EXPECT_EQ(ttl_of(response_), stale_ttl);
  EXPECT_EQ(forwarder_.waiting(), 0U);
  EXPECT_EQ(counters_.stale.value(), 2U);
}

TEST_F(FromCacheTest, WhatComesAfterTheStaleAnswerRefreshesTheCache) {
  have_answer(life);
  ask_again();
  LinkScript& link = ready_link();
  const auto queries = link.queries();
  ASSERT_EQ(queries.size(), 1U);
  advance(stale_client_timeout);
  link.respond(queries[0].answer(3));
  EXPECT_EQ(clients_.responses.size(), 1U) << "each client is answered once";
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(ttl_of(response_), 300U);
  EXPECT_EQ(response_.back(), 3);
}

TEST_F(FromCacheTest, AStaleAnswerInsteadOfAFailureAndNoQuestionForHalfAMinute) {
  have_answer(life);
  ask_again();
  respond_with(rcode::servfail);
  ASSERT_EQ(clients_.responses.size(), 1U);
  EXPECT_EQ(ttl_of(clients_.responses[0].second), stale_ttl);
  advance(seconds{29});
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(asked().size(), 0U);
  advance(seconds{1});
  EXPECT_EQ(ask_again(), Outcome::pending);
  EXPECT_EQ(asked().size(), 1U);
}

TEST_F(FromCacheTest, WhatAnUpstreamRefusesOnPurposeIsPassedOnAndRemembered) {
  have_answer(life);
  ask_again();
  EXPECT_EQ(respond_on_purpose(rcode::servfail, ede_bogus), 1U);
  ASSERT_EQ(clients_.responses.size(), 1U);
  EXPECT_EQ(clients_.responses[0].second[3] & flag::rcode_mask, rcode::servfail);
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::servfail);
  advance(seconds{1});
  EXPECT_EQ(ask_again(), Outcome::pending);
  advance(stale_client_timeout);
  EXPECT_EQ(clients_.responses.size(), 1U) << "what a validator rejected is not given as stale";
}

TEST_F(FromCacheTest, WhatAFilterRefusesIsNotGivenAsStaleToTheNextClient) {
  have_answer(life);
  ask_again();
  respond_on_purpose(rcode::refused, 15);  // Blocked
  ASSERT_EQ(clients_.responses.size(), 1U);
  EXPECT_EQ(clients_.responses[0].second[3] & flag::rcode_mask, rcode::refused);
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::refused);
  advance(seconds{1});
  EXPECT_EQ(ask_again(), Outcome::pending);
  advance(stale_client_timeout);
  EXPECT_EQ(clients_.responses.size(), 1U);
}

TEST_F(FromCacheTest, WhatIsNotKeptTakesThePlaceOfWhatHasExpired) {
  for (const std::uint16_t rcode : {rcode::nxdomain, rcode::noerror}) {  // both without SOA
    have_answer(life);
    ask_again();
    respond_with(rcode);
    EXPECT_EQ(clients_.responses.size(), 1U);
    EXPECT_EQ(ask_again(), Outcome::pending);
    advance(stale_client_timeout);
    EXPECT_EQ(clients_.responses.size(), 1U) << "superseded, and given all the same";
    respond_with(rcode);
  }
}

TEST_F(FromCacheTest, AFailedRefreshAheadDoesNotKeepFromAskingAfterExpiry) {
  forwarder_.apply({.names = {}, .ttl = {}, .prefetch_percent = 10});
  have_answer(seconds{299});
  EXPECT_EQ(ask_again(), Outcome::answered);
  respond_with(rcode::servfail);
  advance(seconds{1});
  EXPECT_EQ(ask_again(), Outcome::pending);
}

TEST_F(FromCacheTest, AFailedRefreshAheadIsTriedAgain) {
  forwarder_.apply({.names = {}, .ttl = {.ttl_min = 600}, .prefetch_percent = 10});
  have_answer(seconds{560});
  for (const std::uint64_t tries : {1U, 1U, 2U}) {  // 560, 576 and 592 seconds
    EXPECT_EQ(ask_again(), Outcome::answered);
    EXPECT_EQ(counters_.prefetched.value(), tries);
    if (opener_.last().open()) respond_with(rcode::servfail);
    advance(seconds{16});
  }
}

TEST_F(FromCacheTest, AFlushOfAnotherNameChangesNothing) {
  ask_again();
  cache_.flush(name_from_text("unrelated.test.")->octets(), true);
  respond(2);
  EXPECT_EQ(ask_again(), Outcome::answered);
}

TEST_F(FromCacheTest, NobodyJoinsWhatBeganBeforeAFlush) {
  ask_again();
  cache_.flush();
  EXPECT_EQ(ask_again(), Outcome::pending);
  EXPECT_EQ(counters_.coalesced.value(), 0U);
  respond(1);
  EXPECT_EQ(clients_.responses.size(), 2U);
  EXPECT_EQ(ask_again(), Outcome::answered) << "what began after it is kept";
}

TEST_F(FromCacheTest, AStaleAnswerAtOnceWhileNoUpstreamIsUsable) {
  have_answer(seconds{0});
  opener_.last().die(FailureKind::transport);
  exchanges_.end_turn();
  advance(life);
  ask(query("other.example."));
  opener_.last().die(FailureKind::transport);
  exchanges_.end_turn();
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(ttl_of(response_), stale_ttl);
  EXPECT_EQ(counters_.rechecked.value(), 1U) << "what brings the network back is asked anyway";
  EXPECT_EQ(ask_again(), Outcome::answered);
  EXPECT_EQ(counters_.rechecked.value(), 1U);
}

TEST_F(FromCacheTest, NothingIsStaleBeyondItsAge) {
  cache_.set_stale_max_age(seconds{60});
  have_answer(life + seconds{59});
  ask_again();
  respond_with(rcode::servfail);
  ASSERT_EQ(clients_.responses.size(), 1U);
  EXPECT_EQ(clients_.responses[0].second[3] & flag::rcode_mask, rcode::noerror);
  advance(seconds{1});
  EXPECT_EQ(ask_again(), Outcome::pending);
  advance(stale_client_timeout);
  EXPECT_EQ(clients_.responses.size(), 1U);
}

// RFC 9520 §3.2.
TEST_F(FromCacheTest, AnUpstreamsFailureOfAnyKindIsRememberedForGrowingTimes) {
  constexpr std::uint16_t yxrrset = 7;  // means nothing in the answer to a query
  for (const std::uint16_t failure : {rcode::servfail, rcode::notimp, rcode::refused, yxrrset}) {
    cache_.flush();
    ask_again();
    respond_with(failure);
    for (const int hold : {1, 2, 4}) {
      advance(seconds{hold} - milliseconds{63});
      EXPECT_EQ(ask_again(), Outcome::answered) << failure << ' ' << hold;
      EXPECT_EQ(rcode(), failure);
      advance(milliseconds{126});
      EXPECT_EQ(ask_again(), Outcome::pending) << failure << ' ' << hold;
      respond_with(failure);
    }
  }
  EXPECT_EQ(counters_.failures_held.value(), 12U);
}

TEST_F(FromCacheTest, AStaleAnswerComesBeforeAFailureOfAnyKind) {
  for (const std::uint16_t failure : {rcode::servfail, rcode::notimp, rcode::refused}) {
    cache_.flush();
    have_answer(life);
    EXPECT_EQ(ask_again(), Outcome::pending);
    respond_with(failure);
    ASSERT_EQ(clients_.responses.size(), 1U);
    EXPECT_EQ(clients_.responses[0].second[3] & flag::rcode_mask, rcode::noerror) << failure;
    EXPECT_EQ(ask_again(), Outcome::answered);
    EXPECT_EQ(rcode(), rcode::noerror) << failure;
    EXPECT_EQ(asked().size(), 0U);
  }
}

TEST_F(FromCacheTest, AFlushKeepsOutWhatWasOnItsWay) {
  ask_again();
  cache_.flush();
  respond(1);
  EXPECT_EQ(ask_again(), Outcome::pending);
}

TEST_F(FromCacheTest, TheFirstAnswerAfterAllHadFailedVoidsWhatIsHeld) {
  have_answer(life);
  ask_again();
  respond_with(rcode::servfail);  // held for 30 s
  ready_link().die(FailureKind::transport);
  advance(milliseconds{1});
  ask(query("other.example."));
  ready_link().die(FailureKind::transport);
  exchanges_.end_turn();
  EXPECT_EQ(ask_again(), Outcome::answered);
  advance(seconds{1});
  respond(5);
  EXPECT_EQ(ask_again(), Outcome::pending);
}

}  // namespace
}  // namespace sotto
