#include "app/upstream_status.h"

#include <gtest/gtest.h>

#include "sample_reports.h"

namespace sotto {
namespace {

using Kind = WorkerState::Kind;

TEST(UpstreamStatus, CountsOfWorkersAddUp) {
  const WorkerState one = test::worker({test::good_upstream(), test::unresolved_upstream()});
  const UpstreamsStatus status = merge_reports({one, one, one});
  ASSERT_EQ(status.upstreams.size(), 2U);
  EXPECT_EQ(status.upstreams[0].report.name, "good");
  EXPECT_EQ(status.upstreams[1].report.name, "tls://dns.example");
  const UpstreamReport& good = status.upstreams[0].report;
  const UpstreamReport single = test::good_upstream();
  EXPECT_EQ(good.in_flight, 6U);
  using T = UpstreamTotals;
  for (const auto total : {&T::sent, &T::resent, &T::hedged, &T::probes, &T::answered, &T::late,
                           &T::lost, &T::abandoned, &T::discarded, &T::failure_answers,
                           &T::connections, &T::handshakes, &T::resumptions}) {
    EXPECT_EQ(good.totals.*total, 3 * single.totals.*total);
  }
  for (std::size_t cause = 0; cause < failure_causes; ++cause) {
    EXPECT_EQ(good.totals.failures[cause], 3 * single.totals.failures[cause]);
  }
  for (const auto histogram :
       {&UpstreamReport::connect, &UpstreamReport::handshake, &UpstreamReport::wait}) {
    EXPECT_EQ((good.*histogram).sum, 3 * (single.*histogram).sum);
    for (std::size_t at = 0; at < LatencyHistogram::bounds.size() + 1; ++at) {
      EXPECT_EQ((good.*histogram).counts[at], 3 * (single.*histogram).counts[at]);
    }
  }
}

TEST(UpstreamStatus, ConnectionsSayWhoseTheyAre) {
  const WorkerState one = test::worker({test::good_upstream()});
  const UpstreamsStatus status = merge_reports({one, one});
  ASSERT_EQ(status.upstreams[0].endpoints.size(), 2U);
  const auto& connections = status.upstreams[0].endpoints[0].connections;
  ASSERT_EQ(connections.size(), 2U);
  EXPECT_EQ(connections[0].worker, 0U);
  EXPECT_EQ(connections[1].worker, 1U);
  EXPECT_EQ(connections[1].report.answered, 90U);
}

TEST(UpstreamStatus, LatenciesAreThoseOfTheSlowestWorker) {
  UpstreamReport slow = test::good_upstream();
  slow.p50 = std::chrono::milliseconds{1};
  slow.p95 = std::chrono::milliseconds{41};
  slow.p99 = std::chrono::milliseconds{42};
  const WorkerState one = test::worker({test::good_upstream()});
  for (const auto& workers :
       {std::vector{one, test::worker({slow})}, std::vector{test::worker({slow}), one}}) {
    const UpstreamReport report = merge_reports(workers).upstreams[0].report;
    EXPECT_EQ(report.p50, slow.p50);
    EXPECT_EQ(report.p95, slow.p95);
    EXPECT_EQ(report.p99, slow.p99);
  }
}

TEST(UpstreamStatus, AnAddressIsAsTheLuckiestWorkerSeesIt) {
  using State = EndpointReport::State;
  struct {
    State one;
    State other;
    State both;
  } const cases[] = {{State::works, State::failing, State::works},
                     {State::untried, State::failing, State::failing},
                     {State::avoided, State::failing, State::avoided},
                     {State::untried, State::works, State::works}};
  for (const auto& c : cases) {
    for (const bool swapped : {false, true}) {
      UpstreamReport one = test::good_upstream();
      UpstreamReport other = one;
      one.endpoints[0].state = swapped ? c.other : c.one;
      other.endpoints[0].state = swapped ? c.one : c.other;
      const auto status = merge_reports({test::worker({one}), test::worker({other})});
      EXPECT_EQ(status.upstreams[0].endpoints[0].report.state, c.both);
    }
  }
}

TEST(UpstreamStatus, TheNextAttemptIsTheSoonestAndTheCertificateTheLatest) {
  UpstreamReport sooner = test::good_upstream();
  sooner.endpoints[1].next_attempt = std::chrono::milliseconds{100};
  sooner.endpoints[0].certificate_expires = std::nullopt;
  const auto status =
      merge_reports({test::worker({test::good_upstream()}), test::worker({sooner})});
  EXPECT_EQ(status.upstreams[0].endpoints[1].report.next_attempt, std::chrono::milliseconds{100});
  EXPECT_EQ(status.upstreams[0].endpoints[0].report.certificate_expires,
            WallTime{std::chrono::seconds{1'800'000'000}});
}

TEST(UpstreamStatus, ReasonsAreToldOnce) {
  UpstreamReport other = test::good_upstream();
  other.why = "passed over: another one is faster";
  other.usable = false;
  const WorkerState one = test::worker({test::good_upstream()});
  const auto status = merge_reports({one, test::worker({other}), one});
  const auto& reasons = status.upstreams[0].reasons;
  ASSERT_EQ(reasons.size(), 2U);
  EXPECT_EQ(reasons[0].why, "used: the only one of its group");
  EXPECT_EQ(reasons[0].workers, (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(reasons[1].why, other.why);
  EXPECT_EQ(reasons[1].workers, std::vector<std::size_t>{1});
  EXPECT_TRUE(status.upstreams[0].report.usable);
}

TEST(UpstreamStatus, WhatIsOldIsNotUsableNow) {
  const WorkerState stuck = test::worker({test::good_upstream()}, Kind::stuck);
  EXPECT_FALSE(merge_reports({stuck}).usable);
  EXPECT_EQ(merge_reports({stuck}).upstreams.size(), 1U) << "its counts do not go back";
  EXPECT_TRUE(merge_reports({stuck, test::worker({test::good_upstream()})}).usable);
  EXPECT_TRUE(merge_reports({{Kind::stuck, std::nullopt}}).upstreams.empty());
}

TEST(UpstreamStatus, TheSameNameInAnotherGroupIsAnother) {
  UpstreamReport other = test::good_upstream();
  other.group = "reserve";
  EXPECT_EQ(merge_reports({test::worker({test::good_upstream(), other})}).upstreams.size(), 2U);
}

}  // namespace
}  // namespace sotto
