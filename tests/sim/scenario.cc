#include "scenario.h"

#include <functional>
#include <map>
#include <sstream>

namespace sotto::sim {
namespace {

// "key=17" fields of a line, each written to where the table says.
using Fields = std::map<std::string, std::function<void(std::uint64_t)>>;

template <class Number>
std::function<void(std::uint64_t)> into(Number& field) {
  return [&field](std::uint64_t value) { field = static_cast<Number>(value); };
}

bool read_fields(std::istringstream& line, const Fields& fields) {
  std::string word;
  while (line >> word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return false;
    const auto field = fields.find(word.substr(0, equals));
    if (field == fields.end()) return false;
    std::istringstream number(word.substr(equals + 1));
    std::uint64_t value = 0;
    if (!(number >> value) || !number.eof()) return false;
    field->second(value);
  }
  return true;
}

bool read_settings(std::istringstream& line, Settings& settings) {
  return read_fields(line, {{"seed", into(settings.seed)},
                            {"never_fails", into(settings.never_fails)},
                            {"promptly", into(settings.promptly)},
                            {"workers", into(settings.workers)},
                            {"hedge", into(settings.hedge)},
                            {"timeout", into(settings.timeout)},
                            {"keep_warm", into(settings.keep_warm)},
                            {"probe_interval", into(settings.probe_interval)},
                            {"stale", into(settings.stale)},
                            {"probes", into(settings.probes)},
                            {"prefetch", into(settings.prefetch)}});
}

bool read_upstream(std::istringstream& line, Settings& settings) {
  UpstreamSetting& upstream = settings.upstreams.emplace_back();
  return read_fields(line, {{"group", into(upstream.group)},
                            {"endpoints", into(upstream.endpoints)},
                            {"latency", into(upstream.latency)},
                            {"jitter", into(upstream.jitter)},
                            {"idle_close", into(upstream.idle_close)}}) &&
         upstream.group < settings.groups.size() && upstream.endpoints > 0;
}

bool read_query(std::istringstream& line, Scenario& scenario) {
  QueryEntry& query = scenario.queries.emplace_back();
  return read_fields(line, {{"at", into(query.at)},
                            {"client", into(query.client)},
                            {"name", into(query.name)},
                            {"type", into(query.type)},
                            {"edns", into(query.edns)},
                            {"leaves", into(query.leaves)}});
}

bool read_fault(std::istringstream& line, Scenario& scenario) {
  std::string name;
  line >> name;
  const auto fault = fault_named(name);
  if (!fault) return false;
  FaultEntry& entry = scenario.faults.emplace_back();
  entry.fault = *fault;
  return read_fields(line, {{"at", into(entry.at)},
                            {"for", into(entry.duration)},
                            {"endpoint", into(entry.endpoint)},
                            {"amount", into(entry.amount)}}) &&
         (of_the_host(*fault) || entry.endpoint < scenario.settings.endpoint_count());
}

bool read_line(std::istringstream& line, Scenario& scenario) {
  std::string kind;
  if (!(line >> kind) || kind.front() == '#') return true;
  if (kind == "settings") {
    const unsigned& workers = scenario.settings.workers;
    return read_settings(line, scenario.settings) && workers > 0 && workers <= workers_max;
  }
  if (kind == "group") {
    unsigned selection = 0;
    return read_fields(line, {{"selection", into(selection)}}) && selection < selections &&
           (scenario.settings.groups.push_back(selection), true);
  }
  if (kind == "upstream") return read_upstream(line, scenario.settings);
  if (kind == "query") return read_query(line, scenario);
  if (kind == "fault") return read_fault(line, scenario);
  return false;
}

}  // namespace

unsigned Settings::endpoint_count() const {
  unsigned count = 0;
  for (const UpstreamSetting& upstream : upstreams) count += upstream.endpoints;
  return count;
}

unsigned Settings::upstream_of(unsigned endpoint) const {
  unsigned at = 0;
  while (endpoint >= upstreams[at].endpoints) endpoint -= upstreams[at++].endpoints;
  return at;
}

std::string to_text(const Scenario& scenario) {
  const Settings& settings = scenario.settings;
  std::ostringstream out;
  out << "settings seed=" << settings.seed << " never_fails=" << settings.never_fails
      << " promptly=" << settings.promptly << " workers=" << settings.workers
      << " hedge=" << settings.hedge << " timeout=" << settings.timeout
      << " keep_warm=" << settings.keep_warm << " probe_interval=" << settings.probe_interval
      << " stale=" << settings.stale << " prefetch=" << settings.prefetch
      << " probes=" << settings.probes << '\n';
  for (const unsigned selection : settings.groups) out << "group selection=" << selection << '\n';
  for (const UpstreamSetting& upstream : settings.upstreams) {
    out << "upstream group=" << upstream.group << " endpoints=" << upstream.endpoints
        << " latency=" << upstream.latency << " jitter=" << upstream.jitter
        << " idle_close=" << upstream.idle_close << '\n';
  }
  for (const FaultEntry& entry : scenario.faults) {
    out << "fault " << name_of(entry.fault) << " at=" << entry.at << " for=" << entry.duration
        << " endpoint=" << entry.endpoint << " amount=" << entry.amount << '\n';
  }
  for (const QueryEntry& query : scenario.queries) {
    out << "query at=" << query.at << " client=" << query.client << " name=" << query.name
        << " type=" << query.type << " edns=" << query.edns << " leaves=" << query.leaves << '\n';
  }
  return out.str();
}

std::optional<Scenario> parse(const std::string& text, std::string& error) {
  Scenario scenario;
  scenario.settings.groups.clear();
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    if (read_line(words, scenario)) continue;
    error = line;
    return std::nullopt;
  }
  if (scenario.settings.upstreams.empty()) {
    error = "no upstream";
    return std::nullopt;
  }
  return scenario;
}

}  // namespace sotto::sim
