// Runs scenarios of the simulation: by seed, or as written down by an earlier run.
//
//   sotto-sim --seeds 1..4000        each of them, both included
//   sotto-sim --seed 17 --trace      one, with all that happened
//   sotto-sim --replay FILE          a scenario as a failing run prints it
//   … --hours 2                      ends when the time is up
//   … --step N                       every N-th seed of the range
//   … --plant BUG                    with a bug put in on purpose
//
// A scenario that fails is made small and printed. Exit code 1 if any failed.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "shrink.h"

namespace sotto::sim {
namespace {

constexpr std::size_t trace_lines_max = 100'000;
constexpr std::size_t failures_shown_max = 5;

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t last = 1'000;
  double hours = 0;
  std::uint64_t step = 1;
  bool trace = false;
  bool shrinks = true;
  std::string replay;
  Plant plant = Plant::none;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool set_range(std::string_view text, Arguments& arguments) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto first = number(text.substr(0, dots));
  const auto last = number(text.substr(dots + 2));
  if (!first || !last) return false;
  arguments.first = *first;
  arguments.last = *last;
  return true;
}

bool set_plant(std::string_view text, Arguments& arguments) {
  if (text == "matches_by_id")
    arguments.plant = Plant::matches_by_id;
  else if (text == "forgets_lost")
    arguments.plant = Plant::forgets_lost;
  else if (text == "charges_none")
    arguments.plant = Plant::charges_none;
  else
    return false;
  return true;
}

// False if they make no sense.
bool read_arguments(const std::vector<std::string_view>& words, Arguments& arguments) {
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at] == "--trace") {
      arguments.trace = true;
      continue;
    }
    if (words[at] == "--no-shrink") {
      arguments.shrinks = false;
      continue;
    }
    if (at + 1 == words.size()) return false;
    const std::string_view option = words[at];
    const std::string_view value = words[++at];
    const auto count = number(value);
    if (option == "--seeds" && set_range(value, arguments)) continue;
    if (option == "--plant" && set_plant(value, arguments)) continue;
    if (option == "--replay") {
      arguments.replay = value;
    } else if (option == "--seed" && count) {
      arguments.first = arguments.last = *count;
    } else if (option == "--step" && count && *count > 0) {
      arguments.step = *count;
    } else if (option == "--hours") {
      arguments.hours = std::strtod(std::string(value).c_str(), nullptr);
    } else {
      return false;
    }
  }
  return true;
}

void print_trace(const RunResult& result, std::ostream& out) {
  for (const std::string& line : result.trace) out << line << '\n';
}

// In one piece, as others may be writing to the same place.
void report(std::uint64_t seed, const Scenario& scenario, const RunResult& result,
            const Arguments& arguments) {
  std::ostringstream out;
  out << "FAILED seed " << seed << ": " << result.failure->invariant << ": " << result.failure->text
      << '\n';
  if (arguments.shrinks) {
    const RunOptions options{.plant = arguments.plant, .trace_lines = 100};
    const Shrunk shrunk = shrink(scenario, options);
    out << "-- after " << shrunk.runs << " runs: " << shrunk.result.failure->text << '\n'
        << to_text(shrunk.scenario) << "-- its last events\n";
    print_trace(shrunk.result, out);
  }
  std::cout << out.str() << std::flush;
}

int run_seeds(const Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds_passed = [begin] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::uint64_t runs = 0;
  std::uint64_t failed = 0;
  double simulated_hours = 0;
  Tally tally;
  for (std::uint64_t seed = arguments.first; seed <= arguments.last; seed += arguments.step) {
    if (arguments.hours > 0 && seconds_passed() > arguments.hours * 3'600) break;
    const Scenario scenario = generate(seed);
    const RunOptions options{.plant = arguments.plant,
                             .trace_lines = arguments.trace ? trace_lines_max : 0};
    const RunResult result = run(scenario, options);
    ++runs;
    simulated_hours += std::chrono::duration<double, std::ratio<3'600>>(result.time).count();
    tally.add(result.tally);
    if (arguments.trace) {
      std::cout << to_text(scenario);
      print_trace(result, std::cout);
      std::cout << "trace hash " << result.hash << '\n';
    }
    if (!result.failure) continue;
    if (++failed <= failures_shown_max)
      report(seed, scenario, result, arguments);
    else
      std::cout << "FAILED seed " << seed << ": " << result.failure->invariant << '\n';
  }
  std::printf(
      "sim: %llu runs, %llu failed; %.1f hours simulated in %.0f s; %llu queries, %llu "
      "answered, %llu failed, %llu stale, %llu sends, %llu connections, slowest %lld ms\n",
      static_cast<unsigned long long>(runs), static_cast<unsigned long long>(failed),
      simulated_hours, seconds_passed(), static_cast<unsigned long long>(tally.queries),
      static_cast<unsigned long long>(tally.answered),
      static_cast<unsigned long long>(tally.failed), static_cast<unsigned long long>(tally.stale),
      static_cast<unsigned long long>(tally.sends),
      static_cast<unsigned long long>(tally.connections),
      static_cast<long long>(tally.slowest.count() / 1'000'000));
  return failed == 0 ? 0 : 1;
}

int replay(const Arguments& arguments) {
  std::ifstream file(arguments.replay);
  std::stringstream text;
  text << file.rdbuf();
  std::string error;
  const auto scenario = parse(text.str(), error);
  if (!scenario) {
    std::cerr << "sotto-sim: " << arguments.replay << ": cannot read: " << error << '\n';
    return 2;
  }
  const RunResult result =
      run(*scenario, {.plant = arguments.plant, .trace_lines = trace_lines_max});
  if (arguments.trace) print_trace(result, std::cout);
  if (!result.failure) return 0;
  report(scenario->settings.seed, *scenario, result, arguments);
  return 1;
}

}  // namespace
}  // namespace sotto::sim

int main(int count, char** words) {
  sotto::sim::Arguments arguments;
  if (!sotto::sim::read_arguments({words + 1, words + count}, arguments)) {
    std::cerr << "usage: sotto-sim [--seeds A..B | --seed N | --replay FILE] [--hours H]\n"
                 "                 [--step N] [--trace] [--no-shrink]\n"
                 "                 [--plant matches_by_id|forgets_lost|charges_none]\n";
    return 2;
  }
  return arguments.replay.empty() ? sotto::sim::run_seeds(arguments)
                                  : sotto::sim::replay(arguments);
}
