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
  const std::uint32_t above_allowed = samples_ / 20;
  std::uint32_t above = 0;
  for (std::size_t bucket = buckets; bucket-- > 0;) {
    above += counts_[bucket];
    if (above > above_allowed) {
      p95_ = upper_edge(bucket);
      return;
    }
  }
}

Duration LatencyEstimate::suspicion_after() const {
  if (p95_ == Duration{0}) return suspicion_without_samples;
  return std::clamp(suspicion_factor * p95_, suspicion_min, suspicion_max);
}

}  // namespace sotto
