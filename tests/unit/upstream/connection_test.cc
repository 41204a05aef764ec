#include "upstream/connection.h"

#include <functional>
#include <gtest/gtest.h>

#include "scripted_link.h"
#include "upstream/upstream.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = Connection::State;

constexpr Duration suspicion_after = milliseconds{250};
constexpr Duration idle_timeout = seconds{9};

class Recorder final : public ConnectionEvents {
 public:
  void on_ready(Connection&, const LinkReady&) override { ++ready; }
  void on_match(Connection&, const Pipeline::Match& match, std::span<const std::uint8_t>) override {
    matches.push_back(match.verdict);
  }
  void on_suspect(Connection&) override { ++suspect; }
  void on_unsuspected(Connection&) override { ++unsuspected; }
  void on_garbled(Connection&, const Pipeline::Garbled& one) override { garbled.push_back(one); }
  void on_overdue(Connection&, ExchangeId exchange) override { overdue.push_back(exchange); }
  void on_closed(Connection& connection, const LinkClosed& closed) override {
    closed_as.push_back(closed);
    lost = connection.waiting().size();
  }

  int ready = 0;
  int suspect = 0;
  int unsuspected = 0;
  std::size_t lost = 0;
  std::vector<Pipeline::Verdict> matches;
  std::vector<LinkClosed> closed_as;
  std::vector<Pipeline::Garbled> garbled;
  std::vector<ExchangeId> overdue;
};

// One connection brought into a state.
struct Stage {
  explicit Stage(State state) : connection({1, 1}, endpoint, events, now, idle_timeout) {
    connection.open(opener, {});
    if (state == State::connecting) return;
    if (state == State::closed) {
      connection.close();
      return;
    }
    link().events->on_tcp_connected();
    if (state == State::handshaking) return;
    link().events->on_link_ready({false, "scripted", {}});
    if (state == State::draining) {
      ask();
      connection.drain();
    }
  }

  LinkScript& link() { return opener.last(); }
  PipelineSlotId ask() {
    const Question question{name_from_text("www.example.")->octets(), rtype::a, rclass::in, {}};
    const auto slot = connection.send({7, 1}, question, {}, true, random);
    connection.flush();
    return slot;
  }
  void wait(Duration time) {
    now += time;
    connection.on_deadline(suspicion_after);
  }

  Instant now{seconds{1'000}};
  Random random{1};
  ScriptedOpener opener;
  Recorder events;
  Endpoint endpoint;
  Connection connection;
};

using Event = std::function<void(Stage&)>;

void die(Stage& stage) {
  stage.link().die(FailureKind::transport);
}
void close(Stage& stage) {
  stage.connection.close();
}
void drain(Stage& stage) {
  stage.connection.drain();
}
void wait_for_handshake(Stage& stage) {
  stage.wait(handshake_timeout);
}
void wait_for_suspicion(Stage& stage) {
  stage.wait(suspicion_after);
}
void wait_idle(Stage& stage) {
  stage.wait(idle_timeout);
}
void keepalive_zero(Stage& stage) {
  stage.connection.on_keepalive(0);
}
void octets(Stage& stage) {
  stage.link().deliver(std::vector<std::uint8_t>{0});
}

struct Transition {
  const char* reason;
  State before;
  Event event;
  State after;
  int reported_closed;  // times on_closed() was called
};

TEST(Connection, EveryStateMeetsEveryEvent) {
  const Transition transitions[] = {
      {"refused while connecting", State::connecting, die, State::closed, 1},
      {"closed while connecting", State::connecting, close, State::closed, 1},
      {"no longer wanted while connecting", State::connecting, drain, State::closed, 1},
      {"connect black hole", State::connecting, wait_for_handshake, State::closed, 1},
      {"connecting takes a while", State::connecting, wait_for_suspicion, State::connecting, 0},
      {"no keepalive before an answer", State::connecting, keepalive_zero, State::connecting, 0},

      {"wrong certificate", State::handshaking, die, State::closed, 1},
      {"closed while handshaking", State::handshaking, close, State::closed, 1},
      {"no longer wanted while handshaking", State::handshaking, drain, State::closed, 1},
      {"handshake black hole", State::handshaking, wait_for_handshake, State::closed, 1},
      {"handshaking takes a while", State::handshaking, wait_for_suspicion, State::handshaking, 0},
      {"no keepalive before an answer", State::handshaking, keepalive_zero, State::handshaking, 0},

      {"the server closes", State::ready, die, State::closed, 1},
      {"we close", State::ready, close, State::closed, 1},
      {"nothing outstanding: draining is closing", State::ready, drain, State::closed, 1},
      {"idle for a handshake's time", State::ready, wait_for_handshake, State::ready, 0},
      {"idle for too long", State::ready, wait_idle, State::closed, 1},
      {"the server wants no idle connection", State::ready, keepalive_zero, State::closed, 1},
      {"part of a message", State::ready, octets, State::ready, 0},

      {"the server closes on what we wait for", State::draining, die, State::closed, 1},
      {"we close at once", State::draining, close, State::closed, 1},
      {"already draining", State::draining, drain, State::draining, 0},
      {"silent while draining", State::draining, wait_for_suspicion, State::draining, 0},
      {"not answered in time", State::draining, [](Stage& stage) { stage.wait(draining_timeout); },
       State::closed, 1},
      {"already closing", State::draining, keepalive_zero, State::draining, 0},
      {"part of a message", State::draining, octets, State::draining, 0},

      {"closed is closed", State::closed, close, State::closed, 1},
      {"closed does not drain", State::closed, drain, State::closed, 1},
      {"closed has no deadline", State::closed, wait_idle, State::closed, 1},
      {"closed hears no keepalive", State::closed, keepalive_zero, State::closed, 1},
  };
  for (const Transition& transition : transitions) {
    Stage stage{transition.before};
    ASSERT_EQ(stage.connection.state(), transition.before) << transition.reason;
    transition.event(stage);
    EXPECT_EQ(stage.connection.state(), transition.after) << transition.reason;
    EXPECT_EQ(static_cast<int>(stage.events.closed_as.size()), transition.reported_closed)
        << transition.reason;
    if (transition.after == State::closed) {
      EXPECT_EQ(stage.connection.next_deadline(suspicion_after), never) << transition.reason;
    }
  }
}

TEST(Connection, QueriesOfOneTurnLeaveInOneWrite) {
  Stage stage{State::ready};
  const Question question{name_from_text("a.")->octets(), rtype::a, rclass::in, {}};
  for (std::uint32_t exchange = 0; exchange < 100; ++exchange) {
    stage.connection.send({exchange, 1}, question, {}, true, stage.random);
  }
  EXPECT_EQ(stage.link().writes, 0U);
  stage.connection.flush();
  stage.connection.flush();
  EXPECT_EQ(stage.link().writes, 1U);
  EXPECT_EQ(stage.link().queries().size(), 100U);
}

TEST(Connection, AcknowledgesWhileOthersAreOutstandingAndNothingLeaves) {
  Stage stage(State::ready);
  for (int i = 0; i < 3; ++i) stage.ask();
  const auto queries = stage.link().queries();
  const auto deadline = [&stage] { return stage.connection.next_deadline(suspicion_after); };

  stage.link().respond(queries[0].answer());
  EXPECT_EQ(deadline(), stage.now + acknowledge_after);
  stage.wait(acknowledge_after - std::chrono::nanoseconds{1});
  EXPECT_EQ(stage.link().acknowledged, 0U);
  stage.wait(std::chrono::nanoseconds{1});
  EXPECT_EQ(stage.link().acknowledged, 1U);
  EXPECT_GT(deadline(), stage.now + acknowledge_after) << "once is enough";

  // The next query carries it.
  stage.link().respond(queries[1].answer());
  stage.ask();
  EXPECT_GT(deadline(), stage.now + acknowledge_after);

  // Nothing is held back that is awaited.
  stage.link().respond(queries[2].answer());
  stage.link().respond(stage.link().queries()[0].answer());
  EXPECT_EQ(stage.connection.outstanding(), 0U);
  stage.wait(acknowledge_after);
  EXPECT_EQ(stage.link().acknowledged, 1U);
}

TEST(Connection, NewWritesDoNotHideASilentServer) {
  Stage stage{State::ready};
  stage.ask();
  for (int query = 0; query < 24; ++query) {
    stage.wait(milliseconds{10});
    stage.ask();
    ASSERT_FALSE(stage.connection.suspect());
  }
  stage.wait(milliseconds{10});
  EXPECT_TRUE(stage.connection.suspect());
  EXPECT_EQ(stage.events.suspect, 1);
  EXPECT_FALSE(stage.connection.usable(pipeline_queries_max));
}

TEST(Connection, ASlowAnswerAmongFastOnesIsNoSilence) {
  Stage stage{State::ready};
  stage.ask();
  stage.link().queries();
  for (int round = 0; round < 20; ++round) {
    stage.ask();
    stage.wait(milliseconds{100});
    stage.link().respond(stage.link().queries().front().answer());
  }
  EXPECT_EQ(stage.events.suspect, 0);
  EXPECT_EQ(stage.connection.outstanding(), 1U);
}

TEST(Connection, OctetsEndSuspicionAndTheAnswerCounts) {
  Stage stage{State::ready};
  stage.ask();
  stage.wait(suspicion_after);
  ASSERT_TRUE(stage.connection.suspect());
  stage.link().respond(stage.link().queries().front().answer());
  EXPECT_FALSE(stage.connection.suspect());
  EXPECT_EQ(stage.events.unsuspected, 1);
  EXPECT_FALSE(stage.connection.heard_in_time(stage.now))
      << "such answers do not tell the usual latency";
  EXPECT_EQ(stage.events.matches, std::vector{Pipeline::Verdict::matched});
  EXPECT_TRUE(stage.connection.usable(pipeline_queries_max));
}

TEST(Connection, StaysSilentForTooLongAndFails) {
  Stage stage{State::ready};
  stage.ask();
  stage.wait(suspicion_after);
  stage.wait(suspect_lifetime);
  ASSERT_EQ(stage.events.closed_as.size(), 1U);
  EXPECT_EQ(stage.events.closed_as[0].kind, FailureKind::transport);
  EXPECT_EQ(stage.events.lost, 1U);
}

TEST(Connection, OnlyQueriesInFlightKeepItFromBeingIdle) {
  Stage stage{State::ready};
  stage.ask();
  stage.wait(milliseconds{200});
  stage.link().respond(stage.link().queries().front().answer());
  EXPECT_EQ(stage.connection.next_deadline(suspicion_after), stage.now + idle_timeout);
  stage.wait(idle_timeout - milliseconds{1});
  EXPECT_EQ(stage.connection.state(), State::ready);
  stage.wait(milliseconds{1});
  EXPECT_EQ(stage.connection.state(), State::closed);
  EXPECT_TRUE(stage.link().said_goodbye);
  EXPECT_EQ(stage.events.closed_as[0].kind, FailureKind::none);
}

TEST(Connection, ClosesBeforeTheTimeTheServerAnnounced) {
  Stage stage{State::ready};
  stage.connection.on_keepalive(50);  // 5 s
  EXPECT_EQ(stage.connection.next_deadline(suspicion_after), stage.now + seconds{4});
  stage.connection.on_keepalive(10);  // 1 s
  EXPECT_EQ(stage.connection.next_deadline(suspicion_after), stage.now + milliseconds{500});
  stage.connection.on_keepalive(6'000);  // 10 minutes
  EXPECT_EQ(stage.connection.next_deadline(suspicion_after), stage.now + seconds{599});
}

TEST(Connection, AfterKeepaliveZeroTheOutstandingIsStillAnswered) {
  Stage stage{State::ready};
  stage.ask();
  stage.connection.on_keepalive(0);
  EXPECT_EQ(stage.connection.state(), State::draining);
  EXPECT_FALSE(stage.connection.usable(pipeline_queries_max));
  stage.link().respond(stage.link().queries().front().answer());
  EXPECT_EQ(stage.connection.state(), State::closed);
  EXPECT_EQ(stage.events.lost, 0U);
}

TEST(Connection, RepeatedWrongAnswersRetireIt) {
  Stage stage{State::ready};
  stage.ask();
  const SeenQuery query = stage.link().queries().front();
  auto unasked = query.answer();
  unasked[0] ^= 0xFFU;
  for (unsigned count = 0; count + 1 < mismatches_max; ++count) stage.link().respond(unasked);
  EXPECT_EQ(stage.connection.state(), State::ready);
  stage.link().respond(unasked);
  EXPECT_EQ(stage.connection.state(), State::draining);
  stage.link().respond(query.answer());
  EXPECT_EQ(stage.connection.state(), State::closed);
}

TEST(Connection, TellsWhoseAnswerSeemsToHaveComeGarbled) {
  Stage stage{State::ready};
  stage.ask();
  stage.ask();
  const auto queries = stage.link().queries();
  stage.link().respond(std::vector<std::uint8_t>(40, 0x55));
  EXPECT_TRUE(stage.events.garbled.empty());
  stage.link().respond(queries[1].answer());
  EXPECT_EQ(stage.events.garbled.size(), 1U) << "a later one was answered";
}

// Nothing is answered behind it: after a while it was everybody's who had been asked before.
TEST(Connection, WhatCameGarbledMayHaveBeenAnybodys) {
  Stage stage{State::ready};
  const std::vector<std::uint8_t> garbage(40, 0x55);
  stage.ask();
  stage.wait(milliseconds{100});
  stage.link().respond(garbage);
  const Instant first = stage.now;
  stage.wait(milliseconds{100});
  stage.ask();
  stage.wait(milliseconds{100});
  stage.link().respond(garbage);
  const Instant last = stage.now;
  stage.wait(first + suspicion_after - stage.now);
  EXPECT_EQ(stage.events.overdue.size(), 1U);
  stage.wait(last + suspicion_after - stage.now);
  EXPECT_EQ(stage.events.overdue.size(), 3U) << "the first again, and the second";
}

TEST(Connection, AHandshakeThatNobodyLookedAfterHasNotFailed) {
  Stage late{State::handshaking};
  late.wait(handshake_timeout + slept_in_handshake_min - milliseconds{1});
  EXPECT_EQ(late.events.closed_as.at(0).kind, FailureKind::transport);
  Stage slept{State::handshaking};
  slept.wait(handshake_timeout + slept_in_handshake_min);
  EXPECT_EQ(slept.events.closed_as.at(0).kind, FailureKind::none);
}

TEST(Connection, ARightAnswerForgivesWrongOnes) {
  Stage stage{State::ready};
  for (int round = 0; round < 10; ++round) {
    stage.ask();
    const SeenQuery query = stage.link().queries().front();
    auto unasked = query.answer();
    unasked[0] ^= 0xFFU;
    stage.link().respond(unasked);
    stage.link().respond(query.answer());
  }
  EXPECT_EQ(stage.connection.state(), State::ready);
}

TEST(Connection, AServerThatLeavesTooMuchUnansweredIsRetired) {
  Stage stage{State::ready};
  for (std::size_t query = 0; query < pipeline_abandoned_max; ++query) {
    ASSERT_EQ(stage.connection.state(), State::ready);
    stage.connection.abandon(stage.ask());
  }
  EXPECT_EQ(stage.connection.state(), State::closed);
}

TEST(Connection, AsksForKeepaliveOncePerConnection) {
  Stage stage{State::ready};
  const auto asks_keepalive = [](const SeenQuery& query) {
    const std::size_t options = header_octets + query.name_octets() + 4 + 11;
    return load16(query.message.data() + options) == edns_option::keepalive;
  };
  stage.ask();
  stage.ask();
  const auto queries = stage.link().queries();
  EXPECT_TRUE(asks_keepalive(queries[0]));
  EXPECT_FALSE(asks_keepalive(queries[1]));
}

}  // namespace
}  // namespace sotto
