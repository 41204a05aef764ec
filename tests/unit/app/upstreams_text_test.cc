#include "app/upstreams_text.h"

#include <gtest/gtest.h>
#include <sstream>

#include "app/upstreams_commands.h"
#include "sample_reports.h"

namespace sotto {
namespace {

using Kind = WorkerState::Kind;

// 40 days before the sample's certificate expires.
constexpr WallTime now{std::chrono::seconds{1'800'000'000 - 40 * 86'400}};

constexpr const char* two_upstreams =
    R"(group main, by fastest

good: usable
  why          used: the only one of its group
  latency      p50 12 ms, p95 40 ms, p99 1.5 s
  queries      100 sent, 3 resent, 4 hedged, 1 probe, 2 in flight
  answers      90 in time, 5 late, 8 SERVFAIL/REFUSED/NOTIMP, 7 discarded,
               6 lost, 10 given up
  connections  11 begun, 9 handshakes, 2 resumed
  failures     3 connect, 1 silent
  192.0.2.1:853  works
    certificate  until 2027-01-15 (40 days), of dns.example
    idle close   after 8.0 s
    ready        2 in flight, 90 answered, open for 5 min, idle for 250 ms
                 TLS1.3 X25519 AES-128-GCM, resumed
  [2001:db8::1]:853  failing
    why          Network is unreachable
    next attempt in 300 ms

group reserve, by order

tls://dns.example: not usable
  why          its name is not resolved yet
  latency      not known yet
  queries      none
  answers      none
  connections  none
  failures     none
)";

TEST(UpstreamsText, ShowsEverythingThatIsKnown) {
  const WorkerState one = test::worker({test::good_upstream(), test::unresolved_upstream()});
  EXPECT_EQ(upstreams_text({one}, now), two_upstreams);
}

TEST(UpstreamsText, OneIsOneOfThem) {
  UpstreamReport upstream = test::good_upstream();
  upstream.totals.probes = 2;
  upstream.totals.handshakes = 1;
  const std::string text = upstreams_text({test::worker({upstream})}, now);
  EXPECT_NE(text.find(" 2 probes, "), std::string::npos) << text;
  EXPECT_NE(text.find(" 1 handshake, "), std::string::npos) << text;
}

TEST(UpstreamsText, FitsATerminal) {
  UpstreamReport large = test::good_upstream();
  using T = UpstreamTotals;
  for (const auto total : {&T::sent, &T::resent, &T::hedged, &T::probes, &T::answered, &T::late,
                           &T::failure_answers, &T::discarded, &T::lost, &T::abandoned}) {
    large.totals.*total = 1'234'567;
  }
  std::istringstream lines(upstreams_text({test::worker({large}), test::worker({large})}, now));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(UpstreamsText, SeveralWorkersAreTold) {
  const WorkerState one = test::worker({test::good_upstream()});
  const std::string text =
      upstreams_text({one, test::worker({test::good_upstream()}, Kind::stuck),
                      WorkerState{Kind::stuck, std::nullopt}, WorkerState{Kind::ended, one.report}},
                     now);
  EXPECT_NE(text.find("idle for 250 ms,\n                 worker 1\n"), std::string::npos) << text;
  EXPECT_TRUE(
      text.ends_with("\n"
                     "worker 1 does not respond; what is shown of it is older\n"
                     "worker 2 does not respond; nothing is known of it\n"
                     "worker 3 has stopped; what is shown of it is older\n"))
      << text;
}

TEST(UpstreamsText, WorkersMayHaveDifferentReasons) {
  UpstreamReport other = test::good_upstream();
  other.why = "passed over: another one is faster";
  const WorkerState one = test::worker({test::good_upstream()});
  const std::string text = upstreams_text({one, test::worker({other}), one}, now);
  EXPECT_NE(text.find("  why          used: the only one of its group (workers 0, 2)\n"
                      "               passed over: another one is faster (worker 1)\n"),
            std::string::npos)
      << text;
}

TEST(UpstreamsText, WhatStrangersSayIsMadeSafe) {
  UpstreamReport upstream = test::good_upstream();
  upstream.endpoints[1].failure_reason = "\x1b[2J\"gone\"";
  const std::string text = upstreams_text({test::worker({upstream})}, now);
  EXPECT_NE(text.find("    why          \\x1b[2J\"gone\"\n"), std::string::npos) << text;
}

TEST(UpstreamsText, AnExpiredCertificateIsSaidToBe) {
  const std::string text =
      upstreams_text({test::worker({test::good_upstream()})}, now + std::chrono::days{41});
  EXPECT_NE(text.find("expired on 2027-01-15, of dns.example\n"), std::string::npos) << text;
}

TEST(UpstreamsText, AFailingAddressWithoutDateIsTriedWhenNeeded) {
  UpstreamReport upstream = test::good_upstream();
  upstream.endpoints[1].next_attempt = Duration{0};
  const std::string text = upstreams_text({test::worker({upstream})}, now);
  EXPECT_NE(text.find("    next attempt when a query needs it\n"), std::string::npos) << text;
}

TEST(UpstreamsText, DurationsAreRough) {
  using namespace std::chrono_literals;
  struct {
    Duration duration;
    const char* text;
  } const cases[] = {{0ns, "0.0 ms"},    {400us, "0.4 ms"},     {9'949us, "9.9 ms"},
                     {9'950us, "10 ms"}, {999'400us, "999 ms"}, {999'600us, "1.0 s"},
                     {1'500ms, "1.5 s"}, {119s, "119 s"},       {120s, "2 min"},
                     {2h, "2 h"},        {49h, "2 days"}};
  for (const auto& c : cases) EXPECT_EQ(rough_duration(c.duration), c.text);
}

TEST(UpstreamsJson, HoldsTheSame) {
  const WorkerState one = test::worker({test::good_upstream(), test::unresolved_upstream()});
  EXPECT_EQ(
      upstreams_json({one, WorkerState{Kind::stuck, std::nullopt}}),
      "{\"workers\":[\"up\",\"stuck\"],\"usable\":true,\"hedges_denied\":0,\"upstreams\":["
      "{\"group\":\"main\",\"select\":\"fastest\",\"name\":\"good\",\"usable\":true,"
      "\"why\":[\"used: the only one of its group\"],"
      "\"latency_seconds\":{\"p50\":0.012300,\"p95\":0.040000,\"p99\":1.500000},\"in_flight\":2,"
      "\"totals\":{\"sent\":100,\"resent\":3,\"hedged\":4,\"probes\":1,\"answered\":90,\"lost\":6,"
      "\"abandoned\":10,\"late\":5,\"discarded\":7,\"failure_answers\":8,\"connections\":11,"
      "\"handshakes\":9,\"resumptions\":2,\"failures\":{\"no_route\":0,\"connect\":3,"
      "\"handshake\":0,\"authentication\":0,\"closed\":0,\"lost\":0,\"silent\":1,\"garbled\":0}},"
      "\"endpoints\":[{\"address\":\"192.0.2.1:853\",\"authenticated_as\":\"dns.example\","
      "\"state\":\"works\",\"failure\":null,\"failure_reason\":null,\"next_attempt_seconds\":null,"
      "\"certificate_expires\":\"2027-01-15T08:00:00.000Z\",\"idle_close_seconds\":8.000000,"
      "\"connections\":[{\"worker\":0,\"state\":\"ready\",\"in_flight\":2,\"answered\":90,"
      "\"age_seconds\":300.000000,\"idle_seconds\":0.250000,\"resumed\":true,"
      "\"tls\":\"TLS1.3 X25519 AES-128-GCM\"}]},"
      "{\"address\":\"[2001:db8::1]:853\",\"authenticated_as\":\"dns.example\","
      "\"state\":\"failing\",\"failure\":\"no_route\","
      "\"failure_reason\":\"Network is unreachable\",\"next_attempt_seconds\":0.300000,"
      "\"certificate_expires\":null,\"idle_close_seconds\":null,\"connections\":[]}]},"
      "{\"group\":\"reserve\",\"select\":\"order\",\"name\":\"tls://dns.example\","
      "\"usable\":false,\"why\":[\"its name is not resolved yet\"],"
      "\"latency_seconds\":{\"p50\":null,\"p95\":null,\"p99\":null},\"in_flight\":0,"
      "\"totals\":{\"sent\":0,\"resent\":0,\"hedged\":0,\"probes\":0,\"answered\":0,\"lost\":0,"
      "\"abandoned\":0,\"late\":0,\"discarded\":0,\"failure_answers\":0,\"connections\":0,"
      "\"handshakes\":0,\"resumptions\":0,\"failures\":{\"no_route\":0,\"connect\":0,"
      "\"handshake\":0,\"authentication\":0,\"closed\":0,\"lost\":0,\"silent\":0,\"garbled\":0}},"
      "\"endpoints\":[]}]}\n");
}

TEST(UpstreamsCommands, TakeOneArgumentAtMost) {
  const ControlCommands commands =
      upstreams_commands([] { return std::vector{test::worker({test::good_upstream()})}; });
  EXPECT_TRUE(run_call(commands, "upstreams")->starts_with("group main, by fastest\n"));
  EXPECT_TRUE(run_call(commands, "upstreams json")->starts_with("{\"workers\":[\"up\"],"));
  for (const char* call : {"upstreams text", "upstreams json json"}) {
    EXPECT_EQ(run_call(commands, call).error(), "send upstreams [json]");
  }
}

}  // namespace
}  // namespace sotto
