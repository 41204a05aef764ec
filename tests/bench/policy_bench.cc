// What choosing an upstream by the registrable name adds to a query that misses the cache: budget
// 1 µs, and twice that for names made to be expensive. Run by script/bench micro.
#include <benchmark/benchmark.h>
#include <string>

#include "dns/name.h"
#include "policy/registrable_name.h"

namespace sotto {
namespace {

void registrable_name_of(benchmark::State& state, const std::string& text) {
  const Name name = *name_from_text(text);
  for (auto _ : state) {
    benchmark::DoNotOptimize(registrable_name(name.octets()).data());
  }
}

std::string many_labels() {
  std::string text;
  for (int label = 0; label < 120; ++label) text += "a.";
  return text + "co.uk.";
}

BENCHMARK_CAPTURE(registrable_name_of, two_labels, "example.com.");
BENCHMARK_CAPTURE(registrable_name_of, usual, "some-host.department.example.co.uk.");
BENCHMARK_CAPTURE(registrable_name_of, many_labels, many_labels());

}  // namespace
}  // namespace sotto
