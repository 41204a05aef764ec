#include "forwarder/forwarder.h"

#include "forwarder/turn.h"
#include "forwarder_world.h"

namespace sotto {
namespace {

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

TEST_F(ForwarderTest, StrangersAreRefusedWhateverTheyAsk) {
  EXPECT_EQ(ask(query("www.example."), 1, {192, 0, 2, 1}), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::refused);
  EXPECT_EQ(ask(query("localhost."), 1, {192, 0, 2, 1}), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::refused);
  EXPECT_EQ(counters_.refused.value(), 2U);
  EXPECT_EQ(opener_.count(), 0U);
}

TEST_F(ForwarderTest, VerifiedClientsMayAskFromAnywhere) {
  const std::array<std::uint8_t, 4> far{192, 0, 2, 1};
  const auto ask_as = [&](std::string_view identity) {
    const auto now =
        forwarder_.answer_now({.address = far, .identity = identity}, query("localhost."), out_);
    EXPECT_EQ(now.outcome, Outcome::answered);
    response_.assign(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(now.octets));
    return rcode();
  };
  EXPECT_EQ(ask_as("laptop.example"), rcode::noerror);
  EXPECT_EQ(ask_as(""), rcode::refused);
  forwarder_.apply({.allow_verified = false, .names = {}, .ttl = {}, .prefetch_percent = 0});
  EXPECT_EQ(ask_as("laptop.example"), rcode::refused);
}

TEST_F(ForwarderTest, LocalNamesAreAnsweredHere) {
  EXPECT_EQ(ask(query("localhost.")), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::noerror);
  EXPECT_EQ(ask(query("a.invalid.")), Outcome::answered);
  EXPECT_EQ(rcode(), rcode::nxdomain);
  EXPECT_EQ(ask(query("a.test.")), Outcome::answered);
  EXPECT_EQ(counters_.local.value(), 3U);
  forwarder_.apply({.names = SpecialNames({.test = false}), .ttl = {}, .prefetch_percent = 0});
  EXPECT_EQ(ask(query("a.test.")), Outcome::pending);
  forwarder_.apply(
      {.names = SpecialNames({.special_use = false}), .ttl = {}, .prefetch_percent = 0});
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

TEST_F(ForwarderTest, NobodyJoinsAnExchangeThatHasLittleTimeLeft) {
  ask(query("www.example.", 1), 1);
  now_ += joined_for - std::chrono::milliseconds{1};
  ask(query("www.example.", 2), 2);
  EXPECT_EQ(counters_.coalesced.value(), 1U);
  now_ += std::chrono::milliseconds{1};
  ask(query("www.example.", 3), 3);
  EXPECT_EQ(counters_.coalesced.value(), 1U);
  EXPECT_EQ(counters_.forwarded.value(), 2U);
  // The time of the first one is up, then the network returns.
  now_ += std::chrono::milliseconds{3'600};
  exchanges_.on_deadline();
  ASSERT_EQ(clients_.responses.size(), 2U);
  now_ += std::chrono::milliseconds{200};  // its connection was given up, and the back-off is over
  exchanges_.on_deadline();
  exchanges_.end_turn();
  LinkScript& link = ready_link();
  const auto queries = link.queries();
  ASSERT_EQ(queries.size(), 1U);
  link.respond(queries.front().answer());
  ASSERT_EQ(clients_.responses.size(), 3U);
  EXPECT_EQ(clients_.responses[2].first, 3U);
  EXPECT_EQ(load16(clients_.responses[2].second.data() + 2) & flag::rcode_mask, rcode::noerror);
}

TEST_F(ForwarderTest, NobodyWaitsWhileTheMachineIsSuspended) {
  Turn turn{exchanges_, forwarder_, now_};
  ask(query("www.example.", 1), 1);
  now_ = turn.next_deadline() + std::chrono::minutes{10};
  turn.tell_deadlines();
  turn.send();
  EXPECT_EQ(clients_.responses.size(), 0U) << "the client has not been waiting either";
  LinkScript& link = ready_link();
  const auto queries = link.queries();
  ASSERT_EQ(queries.size(), 1U);
  link.respond(queries.front().answer());
  ASSERT_EQ(clients_.responses.size(), 1U);
  EXPECT_EQ(load16(clients_.responses[0].second.data() + 2) & flag::rcode_mask, rcode::noerror);
}

TEST_F(ForwarderTest, AfterASuspensionTheTimeThatWasLeftIsLeft) {
  Turn turn{exchanges_, forwarder_, now_};
  ask(query("www.example.", 1), 1);
  const Instant asked = now_;
  const Duration slept = std::chrono::minutes{10};
  now_ = turn.next_deadline() + slept;
  turn.tell_deadlines();
  now_ = asked + slept + exchanges_.timeout() - std::chrono::milliseconds{1};
  exchanges_.on_deadline();
  EXPECT_EQ(clients_.responses.size(), 0U);
  now_ += std::chrono::milliseconds{1};
  exchanges_.on_deadline();
  EXPECT_EQ(clients_.responses.size(), 1U);
}

TEST_F(ForwarderTest, AQueryThatComesFirstAfterASuspensionHasNoMoreThanItsTime) {
  Turn turn{exchanges_, forwarder_, now_};
  ask(query("first.example.", 1), 1);
  ready_link().respond(ready_link().queries().front().answer());
  ASSERT_EQ(clients_.responses.size(), 1U);
  now_ = turn.next_deadline() + std::chrono::minutes{10};
  ask(query("www.example.", 2), 2);
  turn.tell_deadlines();
  now_ += exchanges_.timeout();
  exchanges_.on_deadline();
  EXPECT_EQ(clients_.responses.size(), 2U);
}

TEST_F(ForwarderTest, CountersAddUp) {
  ask(query("www.example.", 1), 1);
  ask(query("www.example.", 2), 2);
  ask(query("localhost."));
  ask({1});
  ask(query("x.example."), 1, {8, 8, 8, 8});
  EXPECT_EQ(counters_.queries.value(), counters_.local.value() + counters_.refused.value() +
                                           counters_.malformed.value() + counters_.dropped.value() +
                                           counters_.coalesced.value() +
                                           counters_.forwarded.value());
}

}  // namespace
}  // namespace sotto
