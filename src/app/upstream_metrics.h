// The part of /metrics that is about upstreams. Test: tests/unit/app/metrics_test.cc.
#pragma once

#include "app/metric_families.h"
#include "app/upstream_status.h"

namespace sotto {

void add_upstreams(MetricFamilies& families, const UpstreamsStatus& status);

}  // namespace sotto
