#include "dns/framing.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

#include "base/random.h"
#include "make_message.h"

namespace sotto {
namespace {

using test::octets;
using test::Octets;

void feed(StreamFramer& framer, std::span<const std::uint8_t> piece) {
  const auto space = framer.space(std::max<std::size_t>(piece.size(), 1));
  ASSERT_GE(space.size(), piece.size());
  std::ranges::copy(piece, space.begin());
  framer.filled(piece.size());
}

std::vector<Octets> drain(StreamFramer& framer) {
  std::vector<Octets> messages;
  while (const auto message = framer.next())
    messages.emplace_back(message->begin(), message->end());
  return messages;
}

// However the network cuts the stream, the same messages come out.
TEST(Framing, AllCutsYieldTheSameMessages) {
  const Octets stream = octets({0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'});
  for (unsigned cuts = 0; cuts < 1U << 9U; ++cuts) {
    StreamFramer framer;
    std::vector<Octets> messages;
    std::size_t begin = 0;
    for (std::size_t end = 1; end <= stream.size(); ++end) {
      if (end < stream.size() && (cuts >> (end - 1) & 1U) == 0) continue;
      feed(framer, std::span(stream).subspan(begin, end - begin));
      std::ranges::move(drain(framer), std::back_inserter(messages));
      begin = end;
    }
    EXPECT_EQ(messages, (std::vector<Octets>{octets({'a', 'b', 'c'}), octets({'d'})})) << cuts;
    EXPECT_EQ(framer.empty_messages(), 1U);
    EXPECT_EQ(framer.partial_octets(), 0U);
  }
}

TEST(Framing, HoldsTheLongestMessage) {
  Octets stream = octets({0xFF, 0xFF});
  stream.resize(2 + 65'535, 7);
  StreamFramer framer;
  for (std::size_t at = 0; at < stream.size(); at += 1'000) {
    EXPECT_FALSE(framer.next());
    feed(framer, std::span(stream).subspan(at, std::min<std::size_t>(1'000, stream.size() - at)));
  }
  const auto message = framer.next();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->size(), 65'535U);
}

TEST(Framing, ZeroLengthsEndAndAreCounted) {
  StreamFramer framer;
  feed(framer, Octets(10'001, 0));
  EXPECT_FALSE(framer.next());
  EXPECT_EQ(framer.empty_messages(), 5'000U);
  EXPECT_EQ(framer.partial_octets(), 1U);
}

TEST(Framing, AnnouncedLengthsCostNothing) {
  StreamFramer framer;
  feed(framer, octets({0xFF, 0xFF, 1}));
  EXPECT_FALSE(framer.next());
  EXPECT_LE(framer.space(1).size(), 4'096U);
}

TEST(Framing, GivesMemoryBack) {
  StreamFramer framer;
  feed(framer, Octets(60'000, 0));
  EXPECT_FALSE(framer.next());
  EXPECT_EQ(framer.partial_octets(), 0U);
  EXPECT_LE(framer.space(1).size(), 4'096U);
}

TEST(Framing, WhatIsNotCutSurvivesMoreRoom) {
  StreamFramer framer;
  feed(framer, octets({0, 1, 'x', 0, 2, 'y'}));
  EXPECT_EQ(drain(framer), std::vector<Octets>{octets({'x'})});
  EXPECT_EQ(framer.partial_octets(), 3U);
  EXPECT_GE(framer.space(100'000).size(), 100'000U);
  feed(framer, octets({'z'}));
  EXPECT_EQ(drain(framer), std::vector<Octets>{octets({'y', 'z'})});
}

TEST(Framing, TheFirstMessageAndItsLengthAreOnePiece) {
  const Octets stream = {0, 3, 1, 2, 3, 0, 0, 0, 1, 9};
  EXPECT_EQ(first_message_octets(stream), 5U);
  EXPECT_EQ(first_message_octets(std::span(stream).subspan(5)), 2U);
  EXPECT_EQ(first_message_octets(std::span(stream).subspan(7)), 3U);
  // What is not whole: all there is.
  EXPECT_EQ(first_message_octets(std::span(stream).first(4)), 4U);
  EXPECT_EQ(first_message_octets(std::span(stream).first(1)), 1U);
}

TEST(Framing, RandomStreamsAndPieces) {
  Random random(11);
  for (int round = 0; round < 20; ++round) {
    std::vector<Octets> sent;
    Octets stream;
    for (int i = 0; i < 60; ++i) {
      const std::size_t limit = std::size_t{1} << (1 + random.below(13));
      const Octets message(random.below(limit), static_cast<std::uint8_t>(i));
      const Octets length = test::octets16(static_cast<std::uint16_t>(message.size()));
      stream.insert(stream.end(), length.begin(), length.end());
      stream.insert(stream.end(), message.begin(), message.end());
      if (!message.empty()) sent.push_back(message);
    }
    StreamFramer framer;
    std::vector<Octets> received;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t count = std::min<std::size_t>(1 + random.below(3'000), stream.size() - at);
      feed(framer, std::span(stream).subspan(at, count));
      at += count;
      if (random.below(3) > 0) std::ranges::move(drain(framer), std::back_inserter(received));
    }
    std::ranges::move(drain(framer), std::back_inserter(received));
    EXPECT_EQ(received, sent);
  }
}

}  // namespace
}  // namespace sotto
