// Metrics put together for the Prometheus text format: a family is a name with its help and one
// value for each set of labels.
#pragma once

#include <initializer_list>
#include <prometheus/metric_family.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upstream/latency_histogram.h"

namespace sotto {

struct MetricLabel {
  std::string_view name;
  std::string_view value;
};
using MetricLabels = std::initializer_list<MetricLabel>;

class MetricFamily {
 public:
  using Type = prometheus::MetricType;

  MetricFamily(Type type, std::string_view name, std::string_view help)
      : family_{std::string(name), std::string(help), type, {}} {}

  // Of counters and gauges; any number will do.
  template <class Number>
  void add(MetricLabels labels, Number value) {
    auto& metric = add(labels);
    metric.counter.value = metric.gauge.value = static_cast<double>(value);
  }
  // Of histograms, in seconds.
  void add(MetricLabels labels, const LatencyHistogram& histogram);

  const prometheus::MetricFamily& family() const { return family_; }

 private:
  prometheus::ClientMetric& add(MetricLabels labels);

  prometheus::MetricFamily family_;
};

class MetricFamilies {
 public:
  // Valid until the next one is begun.
  MetricFamily& counter(std::string_view name, std::string_view help) {
    return begin(MetricFamily::Type::Counter, name, help);
  }
  MetricFamily& gauge(std::string_view name, std::string_view help) {
    return begin(MetricFamily::Type::Gauge, name, help);
  }
  MetricFamily& histogram(std::string_view name, std::string_view help) {
    return begin(MetricFamily::Type::Histogram, name, help);
  }

  void add(MetricFamily family) { families_.push_back(std::move(family)); }

  // Families without a value are left out.
  std::string text() const;

 private:
  MetricFamily& begin(MetricFamily::Type type, std::string_view name, std::string_view help) {
    return families_.emplace_back(type, name, help);
  }

  std::vector<MetricFamily> families_;
};

}  // namespace sotto
