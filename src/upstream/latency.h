// How long answers of one upstream take: the 95th percentile over recent ones, and what follows
// from it for suspicion. Test: tests/unit/upstream/latency_test.cc.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace sotto {

// A connection that has been silent for longer than this after a query was written is suspect:
// four times the p95, within bounds that neither a LAN nor a satellite link makes absurd.
inline constexpr Duration suspicion_min = std::chrono::milliseconds{80};
inline constexpr Duration suspicion_max = std::chrono::seconds{1};
inline constexpr Duration suspicion_without_samples = std::chrono::milliseconds{250};
inline constexpr int suspicion_factor = 4;
// An upstream that is slow itself gets half as long again as its p95, up to this: asking it more
// often makes no answer come sooner.
inline constexpr Duration patience_max = std::chrono::milliseconds{3'500};

// Samples within this time weigh as much as all before them, however many there are.
inline constexpr Duration expectation_memory = std::chrono::seconds{1};
// One sample is never more than half of the mean, nor counted with more than eight times it (and a
// little, for servers next door): a single slow answer says little of the next one.
inline constexpr int outlier_factor = 8;
inline constexpr Duration outlier_margin = std::chrono::milliseconds{10};
// A failure makes the expectation twice as bad, and at least as bad as this.
inline constexpr Duration penalty_min = std::chrono::milliseconds{250};
inline constexpr Duration penalty_max = std::chrono::seconds{5};

// Counts in buckets a quarter of an octave wide; halved when full, so that old answers fade.
class LatencyEstimate {
 public:
  void add(Duration latency);

  // Upper edge of the bucket that holds the 95th percentile; zero without samples.
  Duration p95() const { return p95_; }
  // How long it must be waited for at least before an answer may count as lost.
  Duration patience() const { return std::min(p95_ + p95_ / 2, patience_max); }
  // Of another share of the samples, 0 to 1; not for every query.
  Duration quantile(double share) const;
  // round_trip: to the server and back, as far as known; without samples it tells how long to wait.
  // silences: connections that were suspected in vain since the last answer; each doubles it, as a
  // server that pauses answers nobody sooner for being asked more often.
  Duration suspicion_after(Duration round_trip = {}, unsigned silences = 0) const;

 private:
  // From 1 µs in quarter octaves: the last bucket begins at 2^(95/4) µs, 14 s.
  static constexpr std::size_t buckets = 96;
  static constexpr std::uint32_t samples_max = 1'024;
  static constexpr std::uint32_t recompute_every = 16;

  void recompute();
  Duration above(std::uint32_t allowed) const;

  std::array<std::uint16_t, buckets> counts_{};
  std::uint32_t samples_ = 0;
  std::uint32_t since_recompute_ = 0;
  Duration p95_{0};
};

// What the next answer of an upstream will probably take, for choosing among several: a mean that
// follows recent answers and is made worse by failures.
class ExpectedLatency {
 public:
  void add(Duration latency, Instant now);
  // A failure or a silence: others are better until it answers well again.
  void penalize(Instant now);

  // Zero while nothing is known.
  Duration value() const { return value_; }
  Instant last_sample() const { return last_sample_; }

 private:
  Duration value_{0};
  Instant last_sample_{};
};

}  // namespace sotto
