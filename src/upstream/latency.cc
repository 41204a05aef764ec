#include "upstream/latency.h"

#include <algorithm>
#include <bit>

namespace sotto {
namespace {

// Quarter octaves by the two bits behind the leading one: within 19 % of the true value.
std::size_t bucket_of(Duration latency) {
  const auto microseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(
      1, std::chrono::duration_cast<std::chrono::microseconds>(latency).count()));
  const auto octave = static_cast<std::size_t>(std::bit_width(microseconds) - 1);
  const std::size_t quarter =
      octave >= 2 ? (microseconds >> (octave - 2)) & 3U : (microseconds << (2 - octave)) & 3U;
  return octave * 4 + quarter;
}

Duration upper_edge(std::size_t bucket) {
  const std::size_t octave = bucket / 4;
  const std::uint64_t quarters = 4 + bucket % 4 + 1;
  return std::chrono::microseconds{(quarters << octave) / 4 + 1};
}

}  // namespace

void LatencyEstimate::add(Duration latency) {
  ++counts_[std::min(bucket_of(latency), buckets - 1)];
  ++samples_;
  if (samples_ == samples_max) {
    samples_ = 0;
    for (auto& count : counts_) {
      count = static_cast<std::uint16_t>(count / 2);
      samples_ += count;
    }
  }
  if (p95_ == Duration{0} || ++since_recompute_ >= recompute_every) recompute();
}

void LatencyEstimate::recompute() {
  since_recompute_ = 0;
  p95_ = above(samples_ / 20);
}

// Upper edge of the bucket of the sample that so many are above.
Duration LatencyEstimate::above(std::uint32_t allowed) const {
  std::uint32_t passed = 0;
  for (std::size_t bucket = buckets; bucket-- > 0;) {
    passed += counts_[bucket];
    if (passed > allowed) return upper_edge(bucket);
  }
  return Duration{0};
}

Duration LatencyEstimate::quantile(double share) const {
  return above(static_cast<std::uint32_t>(samples_ * (1 - share)));
}

Duration LatencyEstimate::suspicion_after(Duration round_trip, unsigned silences) const {
  const Duration first = p95_ == Duration{0}
                             ? std::max(suspicion_factor * round_trip, suspicion_without_samples)
                             : std::clamp(suspicion_factor * p95_, suspicion_min, suspicion_max);
  constexpr unsigned doublings_max = 4;  // from the least to the most
  const Duration after = std::min(first * (1 << std::min(silences, doublings_max)), suspicion_max);
  return std::max(after, patience());
}

void ExpectedLatency::add(Duration latency, Instant now) {
  if (value_ == Duration{0}) {
    value_ = std::max(latency, Duration{1});
  } else {
    const Duration believed = std::min(latency, outlier_factor * value_ + outlier_margin);
    const Duration passed = std::max(now - last_sample_, expectation_memory / 64);
    const double weight =
        std::min(0.5, static_cast<double>(passed.count()) /
                          static_cast<double>((passed + expectation_memory).count()));
    value_ += Duration{
        static_cast<Duration::rep>(weight * static_cast<double>((believed - value_).count()))};
    value_ = std::max(value_, Duration{1});
  }
  last_sample_ = now;
}

void ExpectedLatency::penalize(Instant now) {
  value_ = std::clamp(2 * value_, penalty_min, penalty_max);
  last_sample_ = now;
}

}  // namespace sotto
