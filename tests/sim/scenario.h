// Everything that decides a run: settings, what clients ask and when, and what goes wrong. Made
// from a seed by generate(), or read from text as a failing run prints it.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "fault.h"

namespace sotto::sim {

inline constexpr unsigned workers_max = 4;

// Times are in milliseconds.
struct UpstreamSetting {
  unsigned group = 0;
  unsigned endpoints = 1;
  unsigned latency = 10;         // one way
  unsigned jitter = 2;           // up to this much more
  unsigned idle_close = 10'000;  // the server closes a connection that carried nothing for so long
  friend bool operator==(const UpstreamSetting&, const UpstreamSetting&) = default;
};

// How an upstream of a group is chosen, by number: see Selection.
inline constexpr unsigned selections = 5;

struct Settings {
  std::uint64_t seed = 1;  // of sotto's randomness and of the network's
  // One upstream, or what is said of the faults, lets every query succeed at all times; else
  // queries need succeed only from two seconds after the last fault on.
  bool never_fails = false;
  // Every response comes within so long, as nothing goes wrong that sotto is not told of; 0: no
  // such thing is expected.
  unsigned promptly = 0;
  std::vector<unsigned> groups = {0};  // each one's selection
  std::vector<UpstreamSetting> upstreams;
  unsigned workers = 1;
  unsigned hedge = 5;           // percent of queries
  unsigned timeout = 4'500;     // of a query
  unsigned keep_warm = 30'000;  // 0: no
  unsigned probe_interval = 0;  // 0: no active probes
  unsigned stale = 86'400;      // seconds; 0: no stale answers
  unsigned probes = 20;         // fresh names asked for when all is well again
  unsigned prefetch = 10;       // percent of queries
  friend bool operator==(const Settings&, const Settings&) = default;

  unsigned endpoint_count() const;
  // The upstream an endpoint belongs to; endpoints are numbered through all upstreams.
  unsigned upstream_of(unsigned endpoint) const;
};

struct QueryEntry {
  unsigned at = 0;
  unsigned client = 0;
  unsigned name = 0;  // see name_numbered()
  unsigned type = 1;
  bool edns = true;
  unsigned leaves = 0;  // the client goes away after so long; 0: never
  friend bool operator==(const QueryEntry&, const QueryEntry&) = default;
};

struct Scenario {
  Settings settings;
  std::vector<QueryEntry> queries;  // by time
  std::vector<FaultEntry> faults;
  friend bool operator==(const Scenario&, const Scenario&) = default;
};

// One line per part, which parse() reads.
std::string to_text(const Scenario& scenario);
// nullopt, and the line to complain about in error.
std::optional<Scenario> parse(const std::string& text, std::string& error);

Scenario generate(std::uint64_t seed);

}  // namespace sotto::sim
