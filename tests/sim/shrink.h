// Makes a failing scenario small: as few faults and queries as still fail in the same way.
#pragma once

#include <cstddef>

#include "simulation.h"

namespace sotto::sim {

struct Shrunk {
  Scenario scenario;
  RunResult result;
  std::size_t runs = 0;
};

// scenario: one that fails. runs_max: when to be content.
Shrunk shrink(const Scenario& scenario, const RunOptions& options, std::size_t runs_max = 2'000);

}  // namespace sotto::sim
