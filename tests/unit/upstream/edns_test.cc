// What is made of FORMERR to a query with EDNS, and how queries without it are padded.
#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::vector<std::uint8_t> with_opt(std::vector<std::uint8_t> message) {
  const std::uint8_t opt[] = {0, 0, rtype::opt, 4, 208, 0, 0, 0, 0, 0, 0};
  store16(message.data() + 10, 1);
  message.insert(message.end(), std::begin(opt), std::end(opt));
  return message;
}

class EdnsTest : public testing::Test {
 protected:
  EdnsTest() { world_.become_ready(first_link()); }

  LinkScript& first_link() {
    world_.ask("first.example.");
    return world_.link(0);
  }
  LinkScript& link() { return *world_.open_links(1).back(); }
  // Answers what has come as the server does. Returns what it was.
  std::vector<SeenQuery> serve(bool knows_edns) {
    std::vector<SeenQuery> seen = link().queries();
    for (const SeenQuery& query : seen) {
      const bool odd = query.name() == "once.example.";
      if (query.has_edns() && (odd || !knows_edns)) {
        world_.respond(link(), query.response(rcode::formerr));
      } else {
        world_.respond(link(), query.has_edns() ? with_opt(query.answer(4)) : query.answer(4));
      }
    }
    return seen;
  }
  bool asked_with_edns(std::string_view name) {
    world_.ask(name);
    const auto seen = serve(true);
    EXPECT_EQ(seen.size(), 1U);
    return seen.front().has_edns();
  }

  World world_{{{1}}};
};

TEST_F(EdnsTest, FormerrOfAServerThatHasShownOptConcernsOneQuestion) {
  serve(true);
  const auto token = world_.ask("once.example.");
  EXPECT_TRUE(serve(true).front().has_edns());
  const auto again = serve(true);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_FALSE(again.front().has_edns());
  EXPECT_EQ(world_.answers[token], 4);
  EXPECT_TRUE(asked_with_edns("other.example.")) << "nothing is remembered for the others";
  EXPECT_EQ(world_.count(UpstreamEvent::Kind::no_edns), 0U);
}

TEST_F(EdnsTest, AServerThatNeverShowedOptIsAskedWithout) {
  serve(false);
  serve(false);
  EXPECT_EQ(world_.count(UpstreamEvent::Kind::no_edns), 1U);
  for (int number = 0; number < 3; ++number) {
    world_.ask("n" + std::to_string(number) + ".example.");
    EXPECT_FALSE(serve(false).front().has_edns());
  }
  EXPECT_EQ(world_.count(UpstreamEvent::Kind::no_edns), 1U);
}

TEST_F(EdnsTest, AProbeFindsOutThatOneOddNameWasTheReason) {
  serve(false);
  serve(false);
  world_.wait(edns_probe_first);
  const auto probe = serve(true);
  ASSERT_EQ(probe.size(), 1U);
  EXPECT_EQ(probe.front().name(), ".");
  EXPECT_TRUE(probe.front().has_edns()) << "our own queries always have it";
  EXPECT_TRUE(asked_with_edns("other.example."));
  world_.ask("once.example.");
  serve(true);
  serve(true);
  EXPECT_TRUE(asked_with_edns("another.example.")) << "proven";
}

TEST_F(EdnsTest, AServerWithoutEdnsIsProbedLessAndLessOften) {
  serve(false);
  serve(false);
  std::size_t probes = 0;
  for (int second = 0; second < 600; ++second) {
    world_.ask("n" + std::to_string(second) + ".example.");
    for (const SeenQuery& query : serve(false)) probes += query.name() == "." ? 1U : 0U;
    world_.wait(seconds{1});
  }
  EXPECT_GE(probes, 8U);
  EXPECT_LE(probes, 11U) << "twice as long each time";
}

TEST_F(EdnsTest, AServerThatIgnoresEdnsMayBeAskedWithIt) {
  serve(false);
  serve(false);
  world_.wait(edns_probe_first);
  const auto probe = link().queries();
  ASSERT_EQ(probe.size(), 1U);
  world_.respond(link(), probe.front().response());
  world_.ask("n.example.");
  EXPECT_TRUE(link().queries().front().has_edns());
}

TEST_F(EdnsTest, AReloadForgetsIt) {
  serve(false);
  serve(false);
  world_.apply({{1}});
  EXPECT_TRUE(asked_with_edns("other.example."));
}

TEST_F(EdnsTest, AFormerrWithoutEdnsIsTheAnswer) {
  const auto token = world_.ask("bad.example.");
  for (int round = 0; round < 2; ++round) {
    for (const SeenQuery& query : link().queries()) {
      world_.respond(link(), query.response(rcode::formerr));
    }
  }
  EXPECT_EQ(world_.rcodes[token], rcode::formerr);
  EXPECT_EQ(world_.count(UpstreamEvent::Kind::no_edns), 0U);
}

TEST_F(EdnsTest, QueriesWithoutOptArePaddedByTheirRecords) {
  serve(false);
  serve(false);
  for (const std::string_view name :
       {"a.example.", "a-much-longer-name-than-that.example.",
        "one.that.has.so.many.labels.that.it.takes.more.than.one.block.when.it.is.padded.because."
        "it.is.so.long.that.a.hundred.and.twenty.eight.octets.are.not.enough.example."}) {
    const std::size_t before = link().padded.size();
    world_.ask(name);
    ASSERT_EQ(link().padded.size(), before + 1);
    EXPECT_EQ((link().padded.back() - stream_length_octets) % query_padding_block, 0U) << name;
    EXPECT_FALSE(serve(false).front().has_edns());
  }
  EXPECT_EQ(link().padded.front(), stream_length_octets + query_padding_block);
}

}  // namespace
}  // namespace sotto
