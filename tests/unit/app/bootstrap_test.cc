// Over scripted links and a clock the test turns: tests/unit/upstream/world.h.
#include "app/bootstrap.h"

#include <gtest/gtest.h>

#include "world.h"

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Strings = std::vector<std::string>;

const std::string host = "dns.example";

IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}

// The answer to a query for A or AAAA.
std::vector<std::uint8_t> answer(const SeenQuery& query, const Strings& addresses,
                                 std::uint32_t ttl) {
  std::vector<std::uint8_t> out = query.response();
  store16(out.data() + 6, static_cast<std::uint16_t>(addresses.size()));
  for (const std::string& text : addresses) {
    const IpAddress address = ip(text);
    const auto octets = address.octets();
    std::vector<std::uint8_t> record = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0};
    store16(record.data() + 2, address.is_v4() ? rtype::a : rtype::aaaa);
    store32(record.data() + 6, ttl);
    store16(record.data() + 10, static_cast<std::uint16_t>(octets.size()));
    record.insert(record.end(), octets.begin(), octets.end());
    out.insert(out.end(), record.begin(), record.end());
  }
  return out;
}

class BootstrapTest : public testing::Test, public BootstrapEvents {
 protected:
  BootstrapTest() { bootstrap_.set_hosts({host}, {}); }

  void on_bootstrap(const BootstrapEvent& event) override {
    const char* const kinds[] = {"resolved", "refreshed", "failed", "kept"};
    std::string text = kinds[static_cast<std::size_t>(event.kind)];
    for (const IpAddress& address : event.addresses) text += " " + address.text();
    if (!event.reason.empty()) text += ": " + std::string(event.reason);
    told_.push_back(text);
  }
  // What was told since the last call.
  Strings told() { return std::exchange(told_, {}); }

  void turn() {
    if (bootstrap_.next_deadline() <= world_.now) bootstrap_.on_deadline();
    world_.end_turn();
  }
  void wait(Duration time) {
    const Instant until = world_.now + time;
    for (int steps = 0; steps < 1'000; ++steps) {
      const Instant due = std::min(bootstrap_.next_deadline(), world_.exchanges.next_deadline());
      if (due > until) break;
      world_.now = std::max(world_.now, due);
      if (world_.exchanges.next_deadline() <= world_.now) world_.exchanges.on_deadline();
      turn();
    }
    world_.now = until;
  }
  // Brings the link up that the first round opened, and answers it with these.
  void resolve(const Strings& v4, const Strings& v6, std::uint32_t ttl = 300) {
    turn();
    LinkScript& link = world_.opener.last();
    if (link.open() && !link.ready) world_.become_ready(link);
    respond(v4, v6, ttl);
  }
  // Answers what waits.
  void respond(const Strings& v4, const Strings& v6, std::uint32_t ttl = 300) {
    int answered = 0;
    for (const SeenQuery& query : queries()) {
      world_.respond(world_.opener.last(), answer(query, is_v4(query) ? v4 : v6, ttl));
      ++answered;
    }
    EXPECT_EQ(answered, 2);
  }
  void respond_rcode(std::uint16_t rcode) {
    for (const SeenQuery& query : queries()) {
      world_.respond(world_.opener.last(), query.response(rcode));
    }
  }
  // Those for addresses; the pool may ask something of its own.
  std::vector<SeenQuery> queries() {
    std::vector<SeenQuery> seen = world_.opener.last().queries();
    std::erase_if(seen, [](const SeenQuery& query) {
      return query.name() != "dns.example." && query.name() != "other.example." &&
             query.name() != "new.example.";
    });
    return seen;
  }
  static bool is_v4(const SeenQuery& query) {
    return query.message[header_octets + query.name_octets() + 1] == rtype::a;
  }
  // A round is due this long from now.
  Duration due() const { return bootstrap_.next_deadline() - world_.now; }

  World world_{{{853}}};
  Strings told_;
  Bootstrap bootstrap_{world_.exchanges, *this, world_.now};
};

TEST_F(BootstrapTest, AsksForBothFamiliesAtOnce) {
  turn();
  world_.become_ready(world_.opener.last());
  const auto asked = queries();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].name(), "dns.example.");
  EXPECT_NE(is_v4(asked[0]), is_v4(asked[1]));
  EXPECT_EQ(bootstrap_.next_deadline(), never) << "until both are answered";
  EXPECT_EQ(bootstrap_.addresses(), HostAddresses{});
}

TEST_F(BootstrapTest, TellsTheFirstAddressesWithoutWaitingForTheOthers) {
  resolve({"192.0.2.2", "192.0.2.1"}, {"2001:db8::1"});
  EXPECT_EQ(told(),
            (Strings{"resolved 192.0.2.1 192.0.2.2", "resolved 192.0.2.1 192.0.2.2 2001:db8::1",
                     "refreshed 192.0.2.1 192.0.2.2 2001:db8::1"}));
  const std::vector<IpAddress> all = {ip("192.0.2.1"), ip("192.0.2.2"), ip("2001:db8::1")};
  EXPECT_EQ(bootstrap_.addresses(), (HostAddresses{{host, all}}));
}

TEST_F(BootstrapTest, AsksAgainALittleBeforeTheTtlIsOver) {
  resolve({"192.0.2.1"}, {}, 1'000);
  EXPECT_EQ(due(), seconds{900});
  told();
  wait(seconds{900});
  resolve({"192.0.2.1"}, {}, 10);
  EXPECT_EQ(told(), (Strings{"refreshed 192.0.2.1"}));
  EXPECT_EQ(due(), seconds{30}) << "not more often, whatever the TTL";
  wait(seconds{30});
  resolve({"192.0.2.7"}, {}, 10'000'000);
  EXPECT_EQ(told(), (Strings{"resolved 192.0.2.7", "refreshed 192.0.2.7"}));
  EXPECT_EQ(due(), seconds{86'400}) << "not less often";
}

TEST_F(BootstrapTest, AddressesTurnedRoundAreNoChange) {
  resolve({"192.0.2.1", "192.0.2.2"}, {});
  told();
  wait(seconds{270});
  resolve({"192.0.2.2", "192.0.2.1"}, {});
  EXPECT_EQ(told(), (Strings{"refreshed 192.0.2.1 192.0.2.2"}));
}

TEST_F(BootstrapTest, RetriesForEverWithGrowingPauses) {
  turn();
  world_.become_ready(world_.opener.last());
  const seconds pauses[] = {seconds{1}, seconds{2},  seconds{4},
                            seconds{8}, seconds{10}, seconds{10}};
  for (const seconds pause : pauses) {
    respond_rcode(rcode::nxdomain);
    EXPECT_EQ(told(), (Strings{"failed: the name does not exist (NXDOMAIN)"}));
    EXPECT_EQ(due(), pause);
    wait(pause);
    if (!world_.opener.last().open() || !world_.opener.last().ready) turn();
    if (!world_.opener.last().ready) world_.become_ready(world_.opener.last());
  }
  respond({"192.0.2.1"}, {});
  EXPECT_EQ(told(), (Strings{"resolved 192.0.2.1", "refreshed 192.0.2.1"}));
}

struct KeptCase {
  std::uint16_t rcode;
  const char* reason;
};

TEST_F(BootstrapTest, KeepsTheLastGoodAddresses) {
  const KeptCase cases[] = {
      {rcode::noerror, "the name has no address"},
      {rcode::nxdomain, "the name does not exist (NXDOMAIN)"},
      {rcode::servfail, "the answer is SERVFAIL"},
      {rcode::refused, "the answer is REFUSED"},
      {rcode::notimp, "the answer is RCODE 4"},
  };
  resolve({"192.0.2.1"}, {"2001:db8::1"}, 30);
  told();
  for (const KeptCase& each : cases) {
    wait(due());
    if (!world_.opener.last().ready) world_.become_ready(world_.opener.last());
    respond_rcode(each.rcode);
    EXPECT_EQ(told(), (Strings{std::string("kept 192.0.2.1 2001:db8::1: ") + each.reason}));
  }
  wait(due());
  if (!world_.opener.last().ready) world_.become_ready(world_.opener.last());
  respond({"0.0.0.0"}, {"::"});
  EXPECT_EQ(told(),
            (Strings{"kept 192.0.2.1 2001:db8::1: none of its addresses can be connected to"}));
  wait(due());
  if (!world_.opener.last().ready) world_.become_ready(world_.opener.last());
  respond({"192.0.2.1"}, {"2001:db8::1"});
  EXPECT_EQ(told(), (Strings{"resolved 192.0.2.1 2001:db8::1"})) << "it works again";
}

TEST_F(BootstrapTest, AFamilyThatIsGoneIsForgottenWhileTheOtherIsThere) {
  resolve({"192.0.2.1"}, {"2001:db8::1"}, 30);
  wait(due());
  if (!world_.opener.last().ready) world_.become_ready(world_.opener.last());
  told();
  respond({"192.0.2.1"}, {}, 300);
  EXPECT_EQ(told(), (Strings{"resolved 192.0.2.1"}));
}

TEST_F(BootstrapTest, AFamilyThatFailsIsKeptAndAskedAgainSoon) {
  resolve({"192.0.2.1"}, {"2001:db8::1"}, 30);
  wait(due());
  if (!world_.opener.last().ready) world_.become_ready(world_.opener.last());
  told();
  for (const SeenQuery& query : queries()) {
    world_.respond(world_.opener.last(), is_v4(query) ? answer(query, {"192.0.2.1"}, 3'000)
                                                      : query.response(rcode::servfail));
  }
  EXPECT_EQ(told(), (Strings{"refreshed 192.0.2.1 2001:db8::1"}));
  EXPECT_EQ(due(), seconds{30});
}

TEST_F(BootstrapTest, WithoutANetworkItGoesOnUntilThereIsOne) {
  turn();
  world_.die(world_.opener.last(), FailureKind::no_route);
  wait(seconds{6});
  EXPECT_EQ(told(), (Strings{"failed: no upstream could be reached"}));
  wait(seconds{600});
  for (const std::string& line : told()) EXPECT_EQ(line, "failed: no upstream could be reached");
  // Whether between two rounds or in one: it resolves as soon as there is a connection.
  bootstrap_.on_network_change();
  turn();
  world_.become_ready(world_.opener.last());
  respond({"192.0.2.1"}, {});
  EXPECT_EQ(told(), (Strings{"resolved 192.0.2.1", "refreshed 192.0.2.1"}));
}

TEST_F(BootstrapTest, AChangeOfTheNetworkEndsThePause) {
  turn();
  world_.become_ready(world_.opener.last());
  for (int i = 0; i < 4; ++i) {
    respond_rcode(rcode::servfail);
    if (i < 3) wait(due());
  }
  EXPECT_EQ(due(), seconds{8});
  bootstrap_.on_network_change();
  EXPECT_EQ(due(), seconds{0});
  turn();
  respond_rcode(rcode::servfail);
  EXPECT_EQ(due(), seconds{1});
}

TEST_F(BootstrapTest, AddressesKnownFromBeforeAreUsedUntilFresherOnesCome) {
  bootstrap_.set_hosts({"other.example"}, {{"other.example", {ip("192.0.2.9")}}});
  EXPECT_EQ(bootstrap_.addresses(), (HostAddresses{{"other.example", {ip("192.0.2.9")}}}));
  EXPECT_EQ(due(), seconds{0});
  turn();
  world_.become_ready(world_.opener.last());
  respond_rcode(rcode::servfail);
  EXPECT_EQ(told(), (Strings{"kept 192.0.2.9: the answer is SERVFAIL"}));
  wait(due());
  respond({"192.0.2.8"}, {});
  EXPECT_EQ(told(), (Strings{"resolved 192.0.2.8", "refreshed 192.0.2.8"}));
}

TEST_F(BootstrapTest, AReloadKeepsWhatStaysAndForgetsWhatGoes) {
  resolve({"192.0.2.1"}, {}, 1'000);
  told();
  bootstrap_.set_hosts({host, "new.example", "new.example"}, {});
  turn();
  const auto asked = queries();
  ASSERT_EQ(asked.size(), 2U) << "nothing is asked twice";
  EXPECT_EQ(asked[0].name(), "new.example.");
  bootstrap_.set_hosts({host}, {});
  for (const SeenQuery& query : asked) {
    world_.respond(world_.opener.last(), answer(query, {}, 300));
  }
  EXPECT_EQ(told(), Strings{}) << "a late answer for what is not wanted any more";
  EXPECT_EQ(due(), seconds{900});
}

}  // namespace
}  // namespace sotto
