#include "app/metric_families.h"

#include <prometheus/text_serializer.h>

namespace sotto {

namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

prometheus::ClientMetric& MetricFamily::add(MetricLabels labels) {
  prometheus::ClientMetric& metric = family_.metric.emplace_back();
  for (const MetricLabel& label : labels) {
    metric.label.push_back({std::string(label.name), std::string(label.value)});
  }
  return metric;
}

void MetricFamily::add(MetricLabels labels, const LatencyHistogram& histogram) {
  prometheus::ClientMetric::Histogram& out = add(labels).histogram;
  std::uint64_t count = 0;
  for (std::size_t at = 0; at < histogram.bounds.size(); ++at) {
    count += histogram.counts[at];
    out.bucket.push_back({count, seconds(histogram.bounds[at])});
  }
  out.sample_count = count + histogram.counts.back();
  out.sample_sum = seconds(histogram.sum);
}

std::string MetricFamilies::text() const {
  std::vector<prometheus::MetricFamily> families;
  for (const MetricFamily& family : families_) {
    if (!family.family().metric.empty()) families.push_back(family.family());
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace sotto
