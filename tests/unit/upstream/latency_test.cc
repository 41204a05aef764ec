#include "upstream/latency.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(LatencyEstimate, WithoutSamplesSuspicionTakesItsDefault) {
  const LatencyEstimate estimate;
  EXPECT_EQ(estimate.p95(), Duration{0});
  EXPECT_EQ(estimate.suspicion_after(), milliseconds{250});
}

TEST(LatencyEstimate, IsWithinAQuarterOctaveOfASteadyLatency) {
  for (const std::int64_t value : {1, 2, 3, 7, 100, 999, 20'000, 1'000'000, 5'000'000}) {
    LatencyEstimate estimate;
    for (int sample = 0; sample < 200; ++sample) estimate.add(microseconds{value});
    EXPECT_GE(estimate.p95(), microseconds{value}) << value;
    EXPECT_LE(estimate.p95(), microseconds{value * 5 / 4 + 2}) << value;
  }
}

TEST(LatencyEstimate, FourInAHundredSlowAnswersDoNotCountSixDo) {
  LatencyEstimate few;
  LatencyEstimate many;
  for (int sample = 0; sample < 1'000; ++sample) {
    few.add(sample % 25 == 0 ? milliseconds{500} : milliseconds{10});
    many.add(sample % 16 == 0 ? milliseconds{500} : milliseconds{10});
  }
  EXPECT_LT(few.p95(), milliseconds{13});
  EXPECT_GT(many.p95(), milliseconds{499});
}

TEST(LatencyEstimate, OldAnswersFade) {
  LatencyEstimate estimate;
  for (int sample = 0; sample < 10'000; ++sample) estimate.add(milliseconds{400});
  for (int sample = 0; sample < 10'000; ++sample) estimate.add(milliseconds{5});
  EXPECT_LT(estimate.p95(), milliseconds{7});
}

TEST(LatencyEstimate, SuspicionIsFourTimesTheP95WithinBounds) {
  LatencyEstimate quick;
  quick.add(milliseconds{1});
  EXPECT_EQ(quick.suspicion_after(), milliseconds{80});
  LatencyEstimate middling;
  middling.add(milliseconds{50});
  EXPECT_EQ(middling.suspicion_after(), 4 * middling.p95());
  LatencyEstimate slow;
  slow.add(std::chrono::seconds{20});
  EXPECT_EQ(slow.suspicion_after(), patience_max);
  LatencyEstimate rather_slow;
  rather_slow.add(milliseconds{500});
  EXPECT_EQ(rather_slow.suspicion_after(), std::chrono::seconds{1});
}

}  // namespace
}  // namespace sotto
