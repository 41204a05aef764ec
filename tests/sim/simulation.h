// One run: a scenario played from its beginning until everything is quiet again.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>

#include "checker.h"
#include "dns/constants.h"
#include "event_queue.h"
#include "forwarder/client.h"
#include "network.h"
#include "scenario.h"
#include "sotto.h"

namespace sotto::sim {

// Bugs put in on purpose, in the wiring here, to see that they are found.
enum class Plant : std::uint8_t {
  none,
  matches_by_id,  // whatever has the ID of a query in flight passes for its answer
  forgets_lost,   // what a dead connection leaves unanswered is not asked again
  charges_none,   // … is asked again as if the connection had been of use
};

struct RunOptions {
  Plant plant = Plant::none;
  std::size_t trace_lines = 0;
};

struct RunResult {
  std::optional<Failure> failure;
  std::uint64_t hash = 0;  // of all that happened
  std::uint64_t events = 0;
  Duration time{};  // that passed in the simulation
  std::deque<std::string> trace;
  Tally tally;
};

RunResult run(const Scenario& scenario, const RunOptions& options = {});

}  // namespace sotto::sim
