// Failures that repeat no question: the server does not look at what it is asked. They concern the
// query with their ID, are never data, and are known at once.
#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;

constexpr std::uint16_t refusals[] = {rcode::formerr, rcode::servfail, rcode::notimp,
                                      rcode::refused};

std::vector<std::uint8_t> bare(const SeenQuery& query, std::uint16_t rcode) {
  auto message = query.response(rcode);
  message.resize(header_octets);
  store16(message.data() + 4, 0);
  return message;
}

// The only query that has come over this link since the last look.
SeenQuery take(LinkScript& link) {
  const auto queries = link.queries();
  EXPECT_EQ(queries.size(), 1U);
  return queries.empty() ? SeenQuery{} : queries.front();
}

class EachRefusal : public testing::TestWithParam<std::uint16_t> {};

TEST_P(EachRefusal, OfTheOnlyUpstreamEndsTheExchangeAtOnce) {
  World world{{{1}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), bare(take(world.link(0)), GetParam()));
  if (GetParam() == rcode::formerr) {  // it may know no EDNS
    const SeenQuery plain = take(world.link(0));
    EXPECT_FALSE(plain.has_edns());
    world.respond(world.link(0), bare(plain, GetParam()));
  }
  ASSERT_TRUE(world.rcodes.contains(token)) << "no time has passed";
  EXPECT_EQ(world.rcodes[token], rcode::servfail) << "what it refuses is us, not the question";
  EXPECT_EQ(world.errors[token], ede::no_reachable_authority);
  EXPECT_EQ(world.count(UpstreamEvent::Kind::refused), 1U);
  EXPECT_EQ(world.counters.mismatched.value(), 0U);
  EXPECT_EQ(world.exchanges.in_progress(), 0U);
  EXPECT_EQ(world.opener.count(), 1U);
  EXPECT_TRUE(world.link(0).open());
}

INSTANTIATE_TEST_SUITE_P(Rcodes, EachRefusal, testing::ValuesIn(refusals));

TEST(Refusal, AnotherUpstreamIsAskedAndItsAnswerCounts) {
  World world{{{1}, {2}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), bare(take(world.link(0)), rcode::refused));
  ASSERT_EQ(world.opener.count(), 2U);
  world.become_ready(world.link(1));
  world.respond(world.link(1), take(world.link(1)).answer(7));
  EXPECT_EQ(world.answers[token], 7);
  EXPECT_TRUE(world.link(0).queries().empty()) << "whom it refuses once it refuses again";
}

TEST(Refusal, OfAllOfThemIsServfailAndEachIsAskedOnce) {
  World world{{{1}, {2}, {3}}};
  const auto token = world.ask();
  for (std::size_t at = 0; at < 3; ++at) {
    ASSERT_EQ(world.opener.count(), at + 1);
    world.become_ready(world.link(at));
    world.respond(world.link(at), bare(take(world.link(at)), rcode::refused));
  }
  EXPECT_EQ(world.rcodes[token], rcode::servfail);
  EXPECT_EQ(world.counters.sent.value() + world.counters.resent.value(), 3U);
}

TEST(Refusal, WhatAnotherUpstreamSaysOfTheQuestionIsTheAnswer) {
  World world{{{1}, {2}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  world.respond(world.link(0), bare(take(world.link(0)), rcode::refused));
  world.become_ready(world.link(1));
  world.respond(world.link(1), take(world.link(1)).response(rcode::refused));
  EXPECT_EQ(world.rcodes[token], rcode::refused);
}

TEST(Refusal, WithOptBehindTheHeaderIsOneToo) {
  World world{{{1}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  auto message = bare(take(world.link(0)), rcode::refused);
  store16(message.data() + 10, 1);
  const std::uint8_t opt[] = {0, 0, rtype::opt, 4, 208, 0, 0, 0, 0, 0, 0};
  message.insert(message.end(), std::begin(opt), std::end(opt));
  world.respond(world.link(0), message);
  EXPECT_EQ(world.rcodes[token], rcode::servfail);
}

TEST(Refusal, UnderAnIdOfNobodyConcernsNobody) {
  World world{{{1}}};
  const auto token = world.ask();
  world.become_ready(world.link(0));
  const SeenQuery query = take(world.link(0));
  auto message = bare(query, rcode::refused);
  store16(message.data(), static_cast<std::uint16_t>(query.id() + 1));
  world.respond(world.link(0), message);
  EXPECT_EQ(world.exchanges.in_progress(), 1U);
  world.respond(world.link(0), query.answer(5));
  EXPECT_EQ(world.answers[token], 5);
}

TEST(Refusal, ABareHeaderThatSaysAnythingElseIsNoAnswer) {
  for (const std::uint16_t code : {rcode::noerror, rcode::nxdomain, rcode::yxdomain}) {
    World world{{{1}}};
    const auto token = world.ask();
    world.become_ready(world.link(0));
    const SeenQuery query = take(world.link(0));
    world.respond(world.link(0), bare(query, code));
    EXPECT_FALSE(world.rcodes.contains(token)) << code;
    EXPECT_EQ(world.counters.mismatched.value(), 1U) << code;
    world.respond(world.link(0), query.answer(5));
    EXPECT_EQ(world.answers[token], 5) << code;
  }
}

TEST(Refusal, OfAQueryGivenUpFreesItsPlace) {
  World world{{{1}}};
  world.exchanges.set_timeout(milliseconds{100});
  world.ask();
  world.become_ready(world.link(0));
  const SeenQuery query = take(world.link(0));
  world.wait(milliseconds{150});
  ASSERT_EQ(world.failures.size(), 1U);
  world.respond(world.link(0), bare(query, rcode::refused));
  EXPECT_EQ(world.counters.late.value(), 1U);
  EXPECT_EQ(world.counters.unasked.value(), 0U);
}

}  // namespace
}  // namespace sotto
