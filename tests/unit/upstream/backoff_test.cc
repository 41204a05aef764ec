#include "upstream/backoff.h"

#include <gtest/gtest.h>
#include <vector>

namespace sotto {
namespace {

using std::chrono::milliseconds;

const Instant start{std::chrono::seconds{1'000}};

// Jitter adds up to a quarter; the shortest possible delay identifies the step.
void expect_delay(const Backoff& backoff, Instant failed_at, Duration delay) {
  EXPECT_GE(backoff.next_attempt() - failed_at, delay);
  EXPECT_LE(backoff.next_attempt() - failed_at, delay + delay / 4);
}

TEST(Backoff, TransportFailuresComeBackQuicklyForTenSecondsThenRarely) {
  Random random{1};
  Backoff backoff;
  Instant now = start;
  backoff.on_failure(now, FailureKind::transport, random);
  expect_delay(backoff, now, milliseconds{50});
  while (now - start < std::chrono::seconds{10}) {
    now += milliseconds{200};
    if (now - start >= std::chrono::seconds{10}) break;
    backoff.on_failure(now, FailureKind::transport, random);
    expect_delay(backoff, now, milliseconds{100});
  }
  for (const int expected : {200, 400, 800, 1'000, 1'000}) {
    now += std::chrono::seconds{2};
    backoff.on_failure(now, FailureKind::transport, random);
    expect_delay(backoff, now, milliseconds{expected});
  }
}

TEST(Backoff, AuthenticationFailuresDoubleFromOneToTenSeconds) {
  Random random{2};
  Backoff backoff;
  for (const int expected : {1, 2, 4, 8, 10, 10}) {
    backoff.on_failure(start, FailureKind::authentication, random);
    expect_delay(backoff, start, std::chrono::seconds{expected});
  }
}

TEST(Backoff, AFailureOfTheOtherKindBeginsItsOwnSeries) {
  Random random{3};
  Backoff backoff;
  backoff.on_failure(start, FailureKind::authentication, random);
  backoff.on_failure(start, FailureKind::authentication, random);
  backoff.on_failure(start, FailureKind::transport, random);
  expect_delay(backoff, start, milliseconds{50});
  backoff.on_failure(start, FailureKind::authentication, random);
  expect_delay(backoff, start, std::chrono::seconds{1});
}

TEST(Backoff, AWorkingEndpointMayAlwaysBeConnectedTo) {
  Random random{4};
  Backoff backoff;
  EXPECT_TRUE(backoff.begin_attempt(start, false, random));
  EXPECT_TRUE(backoff.begin_attempt(start, false, random));
  EXPECT_FALSE(backoff.failing());
}

TEST(Backoff, OneAttemptPerDelayWhoeverAsks) {
  Random random{5};
  Backoff backoff;
  backoff.on_failure(start, FailureKind::transport, random);
  EXPECT_FALSE(backoff.begin_attempt(start, false, random));
  const Instant due = backoff.next_attempt();
  EXPECT_TRUE(backoff.begin_attempt(due, false, random));
  EXPECT_FALSE(backoff.begin_attempt(due, false, random)) << "another worker must wait";
}

TEST(Backoff, AFreshExchangeNeedNotWaitOutALongDelay) {
  Random random{6};
  Backoff backoff;
  for (int failure = 0; failure < 5; ++failure) {
    backoff.on_failure(start, FailureKind::authentication, random);
  }
  EXPECT_FALSE(backoff.begin_attempt(start + milliseconds{499}, true, random));
  EXPECT_FALSE(backoff.begin_attempt(start + milliseconds{500}, false, random));
  EXPECT_TRUE(backoff.begin_attempt(start + milliseconds{500}, true, random));
  EXPECT_FALSE(backoff.begin_attempt(start + milliseconds{999}, true, random));
}

TEST(Backoff, AnAnswerForgetsEverything) {
  Random random{7};
  Backoff backoff;
  backoff.on_failure(start, FailureKind::transport, random);
  backoff.on_answer();
  EXPECT_FALSE(backoff.failing());
  backoff.on_failure(start, FailureKind::transport, random);
  expect_delay(backoff, start, milliseconds{50});
}

TEST(BackoffRegistry, SharesByIdentityAndForgetsWhatNobodyHolds) {
  BackoffRegistry registry;
  TlsPeerIdentity one;
  one.auth_name = "one.example";
  TlsPeerIdentity other;
  other.auth_name = "other.example";
  const auto first = registry.of(one);
  EXPECT_EQ(registry.of(one), first);
  EXPECT_NE(registry.of(other), first);
  Random random{8};
  registry.of(other)->on_failure(start, FailureKind::transport, random);
  EXPECT_FALSE(registry.of(other)->snapshot().failing()) << "nobody held it";
}

}  // namespace
}  // namespace sotto
