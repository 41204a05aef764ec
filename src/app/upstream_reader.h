// From the upstreams and groups as they were given to those of the configuration: which there are,
// in which order, and whether they make sense together.
// Test: tests/unit/app/upstream_reader_test.cc.
#pragma once

#include <optional>
#include <vector>

#include "app/options.h"

namespace sotto {

// What the file says, in its order.
struct GivenUpstreams {
  std::vector<Entry> upstreams;
  std::vector<Entry> groups;
};

// Each URL is an upstream of its own, like the defaults otherwise.
std::vector<Entry> upstreams_of(Draft& draft, const std::vector<Text>& urls);

// Sets the configuration's upstreams, groups and bootstrap servers. instead: upstreams of the
// command line or the environment, which replace those of the file; its groups stay in force for
// them. Without any upstream, the built-in ones.
void finish_upstreams(Draft& draft, GivenUpstreams file, std::optional<std::vector<Entry>> instead);

}  // namespace sotto
