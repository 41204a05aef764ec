#include "frontend/dns_stream.h"

#include <gtest/gtest.h>
#include <vector>

#include "make_message.h"

namespace sotto {
namespace {

using test::octets;
using test::Octets;

std::vector<Octets> queries_of(DnsStream& stream) {
  std::vector<Octets> queries;
  while (const auto query = stream.next()) {
    EXPECT_EQ(query->stream, 0U);
    queries.emplace_back(query->message.begin(), query->message.end());
  }
  return queries;
}

Octets produced(DnsStream& stream) {
  OctetQueue queue;
  stream.produce(queue);
  return {queue.octets().begin(), queue.octets().end()};
}

TEST(DnsStream, AllCutsYieldTheSameQueries) {
  const Octets input = octets({0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'});
  for (unsigned cuts = 0; cuts < 1U << 9U; ++cuts) {
    DnsStream stream;
    std::vector<Octets> queries;
    std::size_t begin = 0;
    for (std::size_t end = 1; end <= input.size(); ++end) {
      if (end < input.size() && (cuts >> (end - 1) & 1U) == 0) continue;
      stream.receive(std::span(input).subspan(begin, end - begin));
      std::ranges::move(queries_of(stream), std::back_inserter(queries));
      begin = end;
    }
    EXPECT_EQ(queries, (std::vector<Octets>{octets({'a', 'b', 'c'}), octets({'d'})})) << cuts;
  }
}

TEST(DnsStream, FramesResponsesInTheOrderTheyCome) {
  DnsStream stream;
  stream.respond(0, octets({1, 2, 3}));
  stream.respond(0, Octets(300, 7));
  EXPECT_EQ(stream.held(), 5U + 302U);
  Octets expected = octets({0, 3, 1, 2, 3, 1, 44});
  expected.resize(5 + 302, 7);
  EXPECT_EQ(produced(stream), expected);
  EXPECT_EQ(stream.held(), 0U);
  EXPECT_TRUE(produced(stream).empty());
}

TEST(DnsStream, AppendsToWhatIsThere) {
  DnsStream stream;
  stream.respond(0, octets({1}));
  OctetQueue queue;
  queue.append(octets({9}));
  stream.produce(queue);
  EXPECT_EQ(Octets(queue.octets().begin(), queue.octets().end()), octets({9, 0, 1, 1}));
}

TEST(DnsStream, HoldsTheLongestResponse) {
  DnsStream stream;
  stream.respond(0, Octets(65'535, 1));
  EXPECT_EQ(produced(stream).size(), 65'537U);
}

TEST(DnsStream, AsksWhatHadComeBeforeItWasStopped) {
  DnsStream stream;
  stream.receive(octets({0, 1, 'a', 0, 1, 'b', 0, 1}));
  stream.stop();
  stream.receive(octets({'c', 0, 1, 'd'}));
  EXPECT_EQ(queries_of(stream), (std::vector<Octets>{octets({'a'}), octets({'b'})}));
  EXPECT_FALSE(stream.ended());
}

}  // namespace
}  // namespace sotto
