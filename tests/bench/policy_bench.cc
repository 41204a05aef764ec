// What policy adds to queries. Names answered here: a few nanoseconds for an ordinary name.
// Choosing an upstream by the registrable name, when the cache misses: budget 1 µs, and twice that
// for names made to be expensive. Run by script/bench micro.
#include <benchmark/benchmark.h>
#include <string>

#include "dns/name.h"
#include "policy/registrable_name.h"
#include "policy/special_names.h"

namespace sotto {
namespace {

void registrable_name_of(benchmark::State& state, const std::string& text) {
  const Name name = *name_from_text(text);
  for (auto _ : state) {
    benchmark::DoNotOptimize(registrable_name(name.octets()).data());
  }
}

void special_names(benchmark::State& state, const SpecialNames& names, const std::string& text) {
  const Name name = *name_from_text(text);
  for (auto _ : state) {
    if (!names.may_answer(name.octets())) continue;
    SpecialAnswer answer;
    benchmark::DoNotOptimize(names.answer(name.octets(), rtype::a, rclass::in, answer));
    benchmark::DoNotOptimize(&answer);
  }
}

SpecialNames with_designated() {
  const Designation designation{
      .name = *name_from_text("dns.example.net."),
      .endpoints = {{.is_https = false, .port = 853, .path = "", .addresses = {}}},
      .addresses = {.v4 = {{192, 0, 2, 1}}, .v6 = {}}};
  return SpecialNames({.designated = std::make_shared<const DesignatedResolver>(designation)});
}

std::string many_labels() {
  std::string text;
  for (int label = 0; label < 120; ++label) text += "a.";
  return text + "co.uk.";
}

BENCHMARK_CAPTURE(registrable_name_of, two_labels, "example.com.");
BENCHMARK_CAPTURE(registrable_name_of, usual, "some-host.department.example.co.uk.");
BENCHMARK_CAPTURE(registrable_name_of, many_labels, many_labels());

BENCHMARK_CAPTURE(special_names, ordinary, SpecialNames(), "www.example.com.");
BENCHMARK_CAPTURE(special_names, reverse, SpecialNames(), "1.2.0.198.in-addr.arpa.");
BENCHMARK_CAPTURE(special_names, ordinary_designated, with_designated(), "cdn.example.com.au.");
// As long as the designated name, so that it is compared.
BENCHMARK_CAPTURE(special_names, same_length_designated, with_designated(), "www.example.com.");
BENCHMARK_CAPTURE(special_names, itself, with_designated(), "dns.example.net.");

}  // namespace
}  // namespace sotto
