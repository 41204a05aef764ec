// What dns/ costs a query that misses the cache: each step alone, then all of them in a row.
// Budget: 0.5 µs for the row. Run by script/bench micro.
#include <array>
#include <benchmark/benchmark.h>
#include <cstdint>
#include <span>
#include <vector>

#include "dns/answer.h"
#include "dns/framing.h"
#include "dns/name.h"
#include "dns/query.h"
#include "dns/question.h"
#include "dns/response.h"
#include "dns/wire.h"

namespace sotto {
namespace {

using Octets = std::vector<std::uint8_t>;

void append(Octets& octets, std::initializer_list<unsigned> values) {
  for (const unsigned value : values) octets.push_back(static_cast<std::uint8_t>(value));
}

Octets header_and_question(std::string_view name, unsigned type,
                           std::initializer_list<unsigned> header) {
  Octets message;
  append(message, header);
  const auto qname = name_from_text(name);
  message.insert(message.end(), qname->octets().begin(), qname->octets().end());
  append(message, {0, type, 0, 1});
  return message;
}

constexpr std::string_view usual_name = "Some-Host.Department.Example.com.";

Octets client_query(unsigned type) {
  Octets message =
      header_and_question(usual_name, type, {0x12, 0x34, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1});
  append(message, {0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0});
  return message;
}

// One A record, owner a pointer to the question, and OPT.
Octets address_answer() {
  Octets message = header_and_question("some-host.department.example.com.", 1,
                                       {0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 1});
  append(message, {0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 1, 0x2C, 0, 4, 192, 0, 2, 1});
  append(message, {0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0});
  return message;
}

// A CNAME into another zone and the address there.
Octets alias_answer() {
  Octets message = header_and_question("some-host.department.example.com.", 1,
                                       {0, 0, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 1});
  append(message, {0xC0, 0x0C, 0, 5, 0, 1, 0, 0, 1, 0x2C});
  const auto target = name_from_text("edge-17.provider.example.net.");
  append(message, {0, static_cast<unsigned>(target->octets().size())});
  const unsigned target_at = static_cast<unsigned>(message.size());
  message.insert(message.end(), target->octets().begin(), target->octets().end());
  append(message, {0xC0, target_at, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1});
  append(message, {0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0});
  return message;
}

Question usual_question() {
  return Question(name_from_text(usual_name)->octets(), rtype::a, rclass::in, {});
}

void parse_query_with_opt(benchmark::State& state) {
  const Octets message = client_query(rtype::a);
  Query query;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_query(message, query));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(parse_query_with_opt);

void question_of_query(benchmark::State& state) {
  const Octets message = client_query(rtype::a);
  Query query;
  parse_query(message, query);
  for (auto _ : state) {
    Question question(query.qname, query.qtype, query.qclass, {});
    benchmark::DoNotOptimize(question);
  }
}
BENCHMARK(question_of_query);

void write_upstream_query_padded(benchmark::State& state) {
  const Question question = usual_question();
  std::array<std::uint8_t, upstream_query_octets_max> buffer;
  for (auto _ : state) {
    benchmark::DoNotOptimize(write_upstream_query(question, 7, {}, buffer));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(write_upstream_query_padded);

void question_matches(benchmark::State& state) {
  const Question question = usual_question();
  const Octets message = address_answer();
  for (auto _ : state) {
    benchmark::DoNotOptimize(question.matches(message));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(question_matches);

void rewrite(benchmark::State& state, const Octets& message) {
  const Question question = usual_question();
  Answer answer;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rewrite_response(message, question, answer));
    benchmark::ClobberMemory();
  }
}
BENCHMARK_CAPTURE(rewrite, address, address_answer());
BENCHMARK_CAPTURE(rewrite, alias, alias_answer());

void write_response_address(benchmark::State& state) {
  const Octets query_octets = client_query(rtype::a);
  Query query;
  parse_query(query_octets, query);
  const Asker asker = Asker::of(query, response_octets_max(query.edns, true));
  Answer answer;
  if (!rewrite_response(address_answer(), usual_question(), answer)) state.SkipWithError("answer");
  std::array<std::uint8_t, edns_udp_octets_max> buffer;
  for (auto _ : state) {
    benchmark::DoNotOptimize(write_response(answer, asker, buffer));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(write_response_address);

// 32 messages arrive in one read, as they do from a busy upstream.
void frame_32_messages(benchmark::State& state) {
  const Octets message = address_answer();
  Octets stream;
  for (int i = 0; i < 32; ++i) {
    append(stream, {0, static_cast<unsigned>(message.size())});
    stream.insert(stream.end(), message.begin(), message.end());
  }
  StreamFramer framer;
  for (auto _ : state) {
    const auto space = framer.space(16'384);
    std::memcpy(space.data(), stream.data(), stream.size());
    framer.filled(stream.size());
    while (const auto next = framer.next()) benchmark::DoNotOptimize(next->data());
  }
  state.SetItemsProcessed(state.iterations() * 32);
}
BENCHMARK(frame_32_messages);

void whole_miss(benchmark::State& state) {
  const Octets query_octets = client_query(rtype::a);
  const Octets upstream_octets = address_answer();
  Answer answer;
  std::array<std::uint8_t, upstream_query_octets_max> upstream_query;
  std::array<std::uint8_t, edns_udp_octets_max> response;
  for (auto _ : state) {
    Query query;
    benchmark::DoNotOptimize(parse_query(query_octets, query));
    const Question question(query.qname, query.qtype, query.qclass, {});
    const Asker asker = Asker::of(query, response_octets_max(query.edns, true));
    benchmark::DoNotOptimize(write_upstream_query(question, 7, {}, upstream_query));
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(question.matches(upstream_octets));
    benchmark::DoNotOptimize(rewrite_response(upstream_octets, question, answer));
    benchmark::DoNotOptimize(write_response(answer, asker, response));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(whole_miss);

}  // namespace
}  // namespace sotto
