// How often a question is sent to one upstream (RFC 9520 §3.1), and what several exchanges of one
// question share.
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A world whose servers answer everything so late.
class SlowWorld {
 public:
  explicit SlowWorld(Duration delay, unsigned hedging = 0)
      : world({{1}}, Selection::order, hedging), delay_(delay) {}

  // Lets time pass; servers do what is due.
  void run(Duration time) {
    constexpr Duration step = milliseconds{10};
    for (Duration passed{0}; passed < time; passed += step) {
      world.wait(step);
      for (std::size_t at = 0; at < world.opener.count(); ++at) serve(world.link(at));
    }
  }
  std::uint64_t start(std::string_view name, ExchangeId behind, ExchangeId& id) {
    const Question question{name_from_text(name)->octets(), rtype::a, rclass::in, {}};
    const std::uint64_t token = next_token_++;
    id = world.exchanges.start(question, token, behind);
    world.end_turn();
    return token;
  }

  // From now on; everything but this name is answered at once.
  void set_delay_of(std::string_view only, Duration delay) {
    only_ = only;
    delay_ = delay;
  }

  World world;
  std::map<std::string, std::size_t> sends;  // by name

 private:
  struct Due {
    LinkScript* link;
    SeenQuery query;
    Instant at;
  };
  void serve(LinkScript& link) {
    if (!link.open()) return;
    if (!link.ready) world.become_ready(link);
    for (const SeenQuery& query : link.queries()) {
      ++sends[query.name()];
      const bool late = only_.empty() || query.name() == only_;
      due_.push_back({&link, query, world.now + (late ? delay_ : Duration{0})});
    }
    for (std::size_t at = 0; at < due_.size();) {
      const Due one = due_[at];
      if (one.link != &link || one.at > world.now || !link.open()) {
        ++at;
        continue;
      }
      due_.erase(due_.begin() + static_cast<std::ptrdiff_t>(at));
      world.respond(link, one.query.answer(9));
    }
  }

  Duration delay_;
  std::string only_;
  std::vector<Due> due_;
  std::uint64_t next_token_ = 1'000;
};

class Slow : public testing::TestWithParam<milliseconds> {};

TEST_P(Slow, AServerThatIsMerelySlowIsWaitedForAndNotAskedMoreOften) {
  for (const unsigned hedging : {0U, 5U}) {
    SlowWorld slow(GetParam(), hedging);
    std::vector<std::uint64_t> tokens;
    for (int number = 0; number < 8; ++number) {
      tokens.push_back(slow.world.ask("n" + std::to_string(number) + ".example."));
      slow.run(GetParam() + milliseconds{500});
    }
    for (const std::uint64_t token : tokens) EXPECT_EQ(slow.world.answers[token], 9);
    for (const auto& [name, sends] : slow.sends) {
      EXPECT_LE(sends, sends_per_upstream_max) << name;
    }
    EXPECT_EQ(slow.sends["n7.example."], 1U) << "by then it is known how slow it is";
  }
}

INSTANTIATE_TEST_SUITE_P(Delays, Slow,
                         testing::Values(milliseconds{1'000}, milliseconds{1'500},
                                         milliseconds{2'000}, milliseconds{3'000}));

constexpr Duration never_answers = std::chrono::hours{1};
constexpr std::string_view name = "www.example.";

TEST(Sends, ThreeToASilentUpstreamHoweverManyClientsAsk) {
  SlowWorld silent(never_answers, 5);
  ExchangeId first;
  ExchangeId other;
  silent.start(name, {}, first);
  silent.run(milliseconds{1'200});
  silent.start(name, first, other);
  silent.run(milliseconds{1'200});
  silent.start(name, other, other);
  silent.run(milliseconds{1'200});
  silent.start(name, first, other);
  silent.run(milliseconds{850});
  EXPECT_TRUE(silent.world.failures.empty());
  EXPECT_EQ(silent.sends[std::string(name)], sends_per_upstream_max);
  silent.run(milliseconds{100});
  EXPECT_EQ(silent.world.failures.size(), 1U) << "each has its own time";
  silent.run(milliseconds{900});
  EXPECT_EQ(silent.sends[std::string(name)], sends_per_upstream_max)
      << "RFC 9520 §3.2: a failure stands for a second";
  silent.run(milliseconds{200});
  EXPECT_GT(silent.sends[std::string(name)], sends_per_upstream_max);
  silent.run(seconds{5});
  EXPECT_EQ(silent.world.failures.size(), 4U);
  EXPECT_LE(silent.sends[std::string(name)], 2 * sends_per_upstream_max);
  EXPECT_EQ(silent.world.exchanges.in_progress(), 0U);
}

// Somebody always waits when an exchange fails, so that each takes over from the one before.
TEST(Sends, ANameThatEverybodyAsksForIsAnsweredOnceItsServerIsWellAgain) {
  SlowWorld world(never_answers, 5);
  world.set_delay_of(name, never_answers);
  ExchangeId last;
  std::uint64_t token = 0;
  int others = 0;
  const auto ask_for = [&](Duration time) {
    for (Duration passed{0}; passed < time; passed += milliseconds{1'050}) {
      token = world.start(name, last, last);
      for (int part = 0; part < 7; ++part) {
        world.world.ask("other" + std::to_string(++others) + ".example.");
        world.run(milliseconds{150});
      }
    }
  };
  ask_for(seconds{20});
  EXPECT_EQ(world.world.answers.size(), static_cast<std::size_t>(others));
  const std::size_t sends = world.sends[std::string(name)];
  EXPECT_GE(sends, 2 * sends_per_upstream_max) << "three for each time that it failed";
  EXPECT_LE(sends, 5 * sends_per_upstream_max);
  world.set_delay_of(name, milliseconds{10});
  ask_for(seconds{7});
  EXPECT_EQ(world.world.answers[token], 9);
  EXPECT_EQ(world.world.exchanges.in_progress(), 0U);
}

TEST(Sends, WhoComesLaterGetsTheAnswerToWhatWasSentBefore) {
  SlowWorld slow(milliseconds{2'000});
  ExchangeId first;
  ExchangeId second;
  const auto early = slow.start(name, {}, first);
  slow.run(milliseconds{1'500});
  const auto late = slow.start(name, first, second);
  slow.run(milliseconds{700});
  EXPECT_EQ(slow.world.answers[early], 9);
  EXPECT_EQ(slow.world.answers[late], 9);
  EXPECT_LE(slow.sends[std::string(name)], sends_per_upstream_max);
}

TEST(Sends, WhoComesLaterGetsAnAnswerThatIsTooLateForTheFirst) {
  SlowWorld slow(milliseconds{5'000});
  ExchangeId first;
  ExchangeId second;
  const auto early = slow.start(name, {}, first);
  slow.run(milliseconds{3'000});
  const auto late = slow.start(name, first, second);
  slow.run(milliseconds{2'300});
  EXPECT_TRUE(slow.world.failures.contains(early));
  EXPECT_EQ(slow.world.answers[late], 9);
}

TEST(Sends, WhoLeavesHandsOverWhatWasSent) {
  SlowWorld slow(milliseconds{2'000});
  ExchangeId first;
  ExchangeId second;
  slow.start(name, {}, first);
  slow.run(milliseconds{1'500});
  const auto late = slow.start(name, first, second);
  EXPECT_TRUE(slow.world.exchanges.cancel(first));
  slow.run(milliseconds{700});
  EXPECT_EQ(slow.world.answers[late], 9);
  EXPECT_LE(slow.sends[std::string(name)], sends_per_upstream_max);
  EXPECT_EQ(slow.world.exchanges.in_progress(), 0U);
}

TEST(Sends, AFollowerThatLeavesChangesNothing) {
  SlowWorld slow(milliseconds{2'000});
  ExchangeId first;
  ExchangeId second;
  const auto early = slow.start(name, {}, first);
  slow.run(milliseconds{1'500});
  slow.start(name, first, second);
  EXPECT_TRUE(slow.world.exchanges.cancel(second));
  slow.run(milliseconds{700});
  EXPECT_EQ(slow.world.answers[early], 9);
  EXPECT_EQ(slow.world.answers.size(), 1U);
}

TEST(Sends, WhoFollowsAnExchangeThatNobodyWaitsForRevivesIt) {
  SlowWorld slow(milliseconds{2'000});
  ExchangeId first;
  ExchangeId second;
  const auto early = slow.start(name, {}, first);
  slow.run(milliseconds{500});
  EXPECT_FALSE(slow.world.exchanges.cancel(first));
  const auto late = slow.start(name, first, second);
  slow.run(milliseconds{2'000});
  EXPECT_EQ(slow.world.answers[early], 9);
  EXPECT_EQ(slow.world.answers[late], 9);
}

TEST(Sends, WrongAnswersCountButTwoAreExcused) {
  World world{{{1}}};
  const auto token = world.ask();
  std::size_t sends = 0;
  for (int round = 0; round < 20; ++round) {
    for (LinkScript* link : world.open_links(1)) {
      if (!link->ready) world.become_ready(*link);
      for (const SeenQuery& query : link->queries()) {
        ++sends;
        auto cut = query.answer();
        cut.resize(cut.size() - 1);
        if (link->open()) world.respond(*link, cut);
      }
    }
    world.wait(milliseconds{100});
  }
  EXPECT_EQ(sends, sends_per_upstream_max + wrong_excused_max);
  EXPECT_EQ(world.failures[token], ede::network_error);
}

// While a server stops it accepts connections, and closes them without an answer.
TEST(Sends, TheLastOneWaitsUntilAProbeHasBeenAnswered) {
  World world({{1}}, Selection::order);
  const auto token = world.ask("unlucky.example.");
  std::size_t asked = 0;
  for (std::size_t index = 0; index < 6; ++index) {
    while (world.opener.count() <= index) world.wait(milliseconds{10});
    world.become_ready(world.link(index));
    for (const SeenQuery& query : world.link(index).queries()) {
      if (query.name() == "unlucky.example.") ++asked;
    }
    world.die(world.link(index), FailureKind::none);
  }
  EXPECT_EQ(asked, sends_per_upstream_max - 1);
  EXPECT_TRUE(world.failures.empty());

  while (world.opener.count() <= 6) world.wait(milliseconds{10});
  world.become_ready(world.link(6));
  const auto probes = world.link(6).queries();
  ASSERT_EQ(probes.size(), 1U);
  EXPECT_EQ(probes[0].name(), ".");
  world.respond(world.link(6), probes[0].response());
  const auto queries = world.link(6).queries();
  ASSERT_EQ(queries.size(), 1U);
  world.respond(world.link(6), queries[0].answer(9));
  EXPECT_EQ(world.answers[token], 9);
}

TEST(Sends, ASilenceThatWeEndedDoesNotExcuse) {
  SlowWorld silent(never_answers);
  silent.world.exchanges.set_timeout(seconds{20});
  silent.world.ask(name);
  silent.run(seconds{19});  // suspect connections were closed long ago
  EXPECT_EQ(silent.sends[std::string(name)], sends_per_upstream_max);
}

}  // namespace
}  // namespace sotto
