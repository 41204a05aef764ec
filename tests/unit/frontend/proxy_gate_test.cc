#include "frontend/proxy_gate.h"

#include <gtest/gtest.h>
#include <string>

#include "make_message.h"

namespace sotto {
namespace {

using test::join;
using test::octets;
using test::Octets;
using test::octets_of;
using Verdict = ProxyGate::Verdict;

const Octets header_1 = octets_of("PROXY TCP4 192.0.2.7 192.0.2.1 4711 853\r\n");
const Octets signature_2 = octets({13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10});
const Octets header_2 =
    join({signature_2, octets({0x21, 0x11, 0, 12, 192, 0, 2, 7, 192, 0, 2, 1, 18, 103, 3, 85})});
const Octets local_2 = join({signature_2, octets({0x20, 0, 0, 0})});

// What came of octets that arrive one at a time, and how many it took.
struct Outcome {
  Verdict verdict = Verdict::more;
  std::size_t octets = 0;
};
Outcome feed(ProxyGate& gate, const Octets& input) {
  Outcome outcome;
  while (outcome.verdict == Verdict::more && outcome.octets < input.size()) {
    outcome.verdict = gate.receive(std::span(input).subspan(outcome.octets++, 1));
  }
  return outcome;
}

TEST(ProxyGate, LearnsWhomTheProxySpeaksFor) {
  for (const Octets& header : {header_1, header_2}) {
    ProxyGate gate(true);
    const Outcome outcome = feed(gate, header);
    EXPECT_EQ(outcome.verdict, Verdict::passed);
    EXPECT_EQ(outcome.octets, header.size());
    ASSERT_TRUE(gate.client());
    EXPECT_EQ(gate.client()->text(), "192.0.2.7:4711");
    EXPECT_TRUE(gate.rest().empty());
  }
}

TEST(ProxyGate, PassesOnWhatFollowsTheHeader) {
  for (const Octets& header : {header_1, header_2, local_2}) {
    const Octets input = join({header, octets({1, 2, 3})});
    for (std::size_t cut = 0; cut < header.size(); ++cut) {
      ProxyGate gate(true);
      if (cut > 0) {
        ASSERT_EQ(gate.receive(std::span(input).first(cut)), Verdict::more) << cut;
      }
      ASSERT_EQ(gate.receive(std::span(input).subspan(cut)), Verdict::passed) << cut;
      EXPECT_EQ(Octets(gate.rest().begin(), gate.rest().end()), octets({1, 2, 3}));
    }
  }
}

TEST(ProxyGate, KeepsThePeersAddressIfTheProxySpeaksForItself) {
  ProxyGate gate(true);
  EXPECT_EQ(gate.receive(local_2), Verdict::passed);
  EXPECT_FALSE(gate.client());
}

TEST(ProxyGate, RefusesAProxyWithoutAHeader) {
  for (const Octets& input : {octets({0x16, 3, 1, 2, 0}), octets({0, 29, 1, 2}),
                              octets_of("PROXY TCP5 192.0.2.7 192.0.2.1 4711 853\r\n")}) {
    ProxyGate gate(true);
    EXPECT_EQ(feed(gate, input).verdict, Verdict::refused);
  }
}

TEST(ProxyGate, RefusesHeadersOfOthersAsSoonAsTheyAreKnown) {
  ProxyGate one(false);
  EXPECT_EQ(feed(one, header_1).verdict, Verdict::refused);
  ProxyGate two(false);
  const Outcome outcome = feed(two, header_2);
  EXPECT_EQ(outcome.verdict, Verdict::refused);
  EXPECT_EQ(outcome.octets, signature_2.size());
}

TEST(ProxyGate, LetsOthersThroughWhateverTheySend) {
  const struct {
    const char* what;
    Octets input;
    std::size_t undecided;  // octets after which it is still undecided
  } cases[] = {
      {"a TLS handshake", octets({0x16, 3, 1}), 0},
      {"a query of 29 octets", octets({0, 29, 1}), 0},
      {"a query of 20,480 octets", octets({'P', 0, 1}), 1},
      {"a query of 20,562 octets", octets({'P', 'R', 'O', 'X', 'Y', 0}), 5},
      {"a query of 3,338 octets", octets({13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 9}), 11},
  };
  for (const auto& one : cases) {
    ProxyGate gate(false);
    const Outcome outcome = feed(gate, one.input);
    EXPECT_EQ(outcome.verdict, Verdict::passed) << one.what;
    EXPECT_EQ(outcome.octets, one.undecided + 1) << one.what;
    const Octets passed(gate.rest().begin(), gate.rest().end());
    EXPECT_EQ(passed, Octets(one.input.begin(),
                             one.input.begin() + static_cast<std::ptrdiff_t>(outcome.octets)))
        << one.what;
  }
}

}  // namespace
}  // namespace sotto
