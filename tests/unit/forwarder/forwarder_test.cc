#include "forwarder/forwarder.h"

#include <array>
#include <gtest/gtest.h>

#include "../upstream/scripted_link.h"

namespace sotto {
namespace {

using Outcome = Forwarder::Outcome;

// A client's query, in wire format.
std::vector<std::uint8_t> query(std::string_view name, std::uint16_t id = 0x1234,
                                std::uint16_t flags = flag::recursion_desired) {
  std::vector<std::uint8_t> message(header_octets);
  store16(message.data(), id);
  store16(message.data() + 2, flags);
  store16(message.data() + 4, 1);
  const Name parsed = *name_from_text(name);
  message.insert(message.end(), parsed.octets().begin(), parsed.octets().end());
  message.insert(message.end(), {0, 1, 0, 1});
  return message;
}

struct Silent final : UpstreamObserver {
  void on_upstream_event(const UpstreamEvent&) override {}
};

class Clients final : public ResponseSink {
 public:
  std::span<std::uint8_t> response_space(const ReplyTo& to, std::uint16_t) override {
    if (to.connection == gone) return {};
    return buffer_;
  }
  void response_written(const ReplyTo& to, std::size_t octets) override {
    responses.emplace_back(
        to.connection, std::vector<std::uint8_t>(
                           buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(octets)));
  }

  std::uint64_t gone = 0;  // this client has left
  std::vector<std::pair<std::uint64_t, std::vector<std::uint8_t>>> responses;

 private:
  std::array<std::uint8_t, message_octets_max> buffer_{};
};

class ForwarderTest : public testing::Test {
 protected:
  ForwarderTest() {
    UpstreamSpec spec{.name = "upstream", .endpoints = {}};
    spec.endpoints.emplace_back();
    pool_.apply({spec});
  }

  Outcome ask(const std::vector<std::uint8_t>& message, std::uint64_t client = 1,
              std::array<std::uint8_t, 4> address = {127, 0, 0, 1}) {
    const auto now = forwarder_.answer_now({.address = address}, message, out_);
    response_.assign(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(now.octets));
    if (now.outcome == Outcome::pending) {
      forwarder_.forward({.sink = &clients_, .path = {}, .connection = client});
    }
    exchanges_.end_turn();
    return now.outcome;
  }
  std::uint16_t rcode() const { return load16(response_.data() + 2) & flag::rcode_mask; }
  LinkScript& ready_link() {
    if (opener_.last().written.empty()) opener_.last().become_ready();
    exchanges_.end_turn();
    return opener_.last();
  }

  Instant now_{std::chrono::seconds{1'000}};
  Random random_{1};
  ScriptedOpener opener_;
  BackoffRegistry backoffs_;
  Silent observer_;
  UpstreamCounters upstream_counters_;
  ForwarderCounters counters_;
  Pool pool_{opener_, backoffs_, observer_, upstream_counters_, random_, now_};
  Exchanges exchanges_{pool_, upstream_counters_, now_};
  Forwarder forwarder_{exchanges_, counters_, random_};
  Clients clients_;
  std::array<std::uint8_t, message_octets_max> out_{};
  std::vector<std::uint8_t> response_;
};

TEST_F(ForwarderTest, IdenticalQuestionsInFlightCostOneUpstreamQuery) {
  EXPECT_EQ(ask(query("www.example.", 1), 1), Outcome::pending);
  EXPECT_EQ(ask(query("WWW.example.", 2), 2), Outcome::pending);
  EXPECT_EQ(ask(query("www.EXAMPLE.", 3), 3), Outcome::pending);
  LinkScript& link = ready_link();
  const auto queries = link.queries();
  ASSERT_EQ(queries.size(), 1U);
  link.respond(queries[0].answer());
  ASSERT_EQ(clients_.responses.size(), 3U);
  for (const auto& [client, response] : clients_.responses) {
    EXPECT_EQ(load16(response.data()), client) << "each gets its own ID";
  }
  EXPECT_EQ(counters_.coalesced.value(), 2U);
  EXPECT_EQ(counters_.answered.value(), 3U);
}

TEST_F(ForwarderTest, EachClientGetsItsOwnSpellingBack) {
  ask(query("www.example.", 1), 1);
  ask(query("wWw.ExAmple.", 2), 2);
  LinkScript& link = ready_link();
  link.respond(link.queries().front().answer());
  ASSERT_EQ(clients_.responses.size(), 2U);
  for (const auto& [client, response] : clients_.responses) {
    const auto asked = query(client == 1 ? "www.example." : "wWw.ExAmple.");
    EXPECT_TRUE(std::equal(asked.begin() + 12, asked.end(), response.begin() + 12)) << client;
  }
}

TEST_F(ForwarderTest, QuestionsThatMayBeAnsweredDifferentlyAreNotJoined) {
  ask(query("www.example.", 1, flag::recursion_desired));
  ask(query("www.example.", 2, 0));
  ask(query("www.example.", 3, flag::recursion_desired | flag::checking_disabled));
  ask(query("ww.example.", 4));
  EXPECT_EQ(ready_link().queries().size(), 4U);
  EXPECT_EQ(counters_.coalesced.value(), 0U);
}

TEST_F(ForwarderTest, TheSameQuestionLaterIsANewExchange) {
  for (int round = 0; round < 3; ++round) {
    ask(query("www.example."));
    LinkScript& link = ready_link();
    const auto queries = link.queries();
    ASSERT_EQ(queries.size(), 1U);
    link.respond(queries[0].answer());
  }
  EXPECT_EQ(clients_.responses.size(), 3U);
  EXPECT_EQ(forwarder_.waiting(), 0U);
}

TEST_F(ForwarderTest, StrangersAreRefusedWhateverTheyAsk) {
  EXPECT_EQ(ask(query("www.example."), 1, {192, 0, 2, 1}), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::refused);
  EXPECT_EQ(ask(query("localhost."), 1, {192, 0, 2, 1}), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::refused);
  EXPECT_EQ(counters_.refused.value(), 2U);
  EXPECT_EQ(opener_.count(), 0U);
}

TEST_F(ForwarderTest, LocalNamesAreAnsweredHere) {
  EXPECT_EQ(ask(query("localhost.")), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::noerror);
  EXPECT_EQ(ask(query("a.invalid.")), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::nxdomain);
  EXPECT_EQ(ask(query("a.test.")), Outcome::answered);
  EXPECT_EQ(counters_.local.value(), 3U);
  forwarder_.apply({.special_use_names = true, .names = SpecialNames({.test = false})});
  EXPECT_EQ(ask(query("a.test.")), Outcome::pending);
  forwarder_.apply({.special_use_names = false, .names = {}});
  EXPECT_EQ(ask(query("a.invalid.")), Outcome::pending);
}

TEST_F(ForwarderTest, SilenceAndErrorsForWhatIsNoQuery) {
  EXPECT_EQ(ask(query("www.example.", 1, flag::response)), Outcome::drop);
  EXPECT_EQ(ask({1, 2, 3}), Outcome::drop);
  EXPECT_EQ(ask(query("www.example.", 1, 0x2800)), Outcome::answered);  // UPDATE
  EXPECT_EQ(rcode(), rcode::notimp);
  auto cut = query("www.example.");
  cut.resize(20);
  EXPECT_EQ(ask(cut), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::formerr);
  EXPECT_EQ(counters_.dropped.value(), 2U);
  EXPECT_EQ(counters_.malformed.value(), 2U);
}

TEST_F(ForwarderTest, AClientThatLeftIsNoReasonToForgetTheOthers) {
  ask(query("www.example.", 1), 1);
  ask(query("www.example.", 2), 2);
  clients_.gone = 2;
  LinkScript& link = ready_link();
  link.respond(link.queries().front().answer());
  ASSERT_EQ(clients_.responses.size(), 1U);
  EXPECT_EQ(clients_.responses[0].first, 1U);
  EXPECT_EQ(counters_.abandoned.value(), 1U);
  EXPECT_EQ(forwarder_.waiting(), 0U);
}

TEST_F(ForwarderTest, FailureIsServfailForAllWhoWait) {
  ask(query("www.example.", 1), 1);
  ask(query("www.example.", 2), 2);
  now_ += std::chrono::seconds{5};
  exchanges_.on_deadline();
  ASSERT_EQ(clients_.responses.size(), 2U);
  for (const auto& [client, response] : clients_.responses) {
    EXPECT_EQ(load16(response.data() + 2) & flag::rcode_mask, rcode::servfail);
  }
  EXPECT_EQ(counters_.unreachable.value(), 2U);
}

TEST_F(ForwarderTest, MoreWaitingQueriesThanTheLimitAreShed) {
  for (std::size_t at = 0; at < waiting_queries_max; ++at) {
    forwarder_.answer_now({.address = std::array<std::uint8_t, 4>{127, 0, 0, 1}},
                          query("www.example."), out_);
    forwarder_.forward({.sink = &clients_, .path = {}, .connection = 1});
  }
  EXPECT_EQ(ask(query("www.example.")), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::servfail);
  EXPECT_EQ(counters_.shed.value(), 1U);
  EXPECT_EQ(ask(query("localhost.")), Outcome::answered) << "local answers go on";
  EXPECT_EQ(rcode(), rcode::noerror);
}

TEST_F(ForwarderTest, CountersAddUp) {
  ask(query("www.example.", 1), 1);
  ask(query("www.example.", 2), 2);
  ask(query("localhost."));
  ask({1});
  ask(query("x.example."), 1, {8, 8, 8, 8});
  EXPECT_EQ(counters_.queries.value(), counters_.local.value() + counters_.refused.value() +
                                           counters_.malformed.value() + counters_.dropped.value() +
                                           counters_.shed.value() + counters_.coalesced.value() +
                                           counters_.forwarded.value());
}

}  // namespace
}  // namespace sotto
