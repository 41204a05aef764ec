// What the upstream side costs per query without sockets and TLS: the pipeline alone, and a whole
// exchange from question to answer over a link that hands octets straight back.
#include <benchmark/benchmark.h>
#include <vector>

#include "dns/name.h"
#include "upstream/exchanges.h"

namespace sotto {
namespace {

Question question_number(std::uint64_t number) {
  const std::string name = "host-" + std::to_string(number) + ".bench.example.";
  return {name_from_text(name)->octets(), rtype::a, rclass::in, {}};
}

// Turns a framed query into its answer: header, question, one A record.
std::vector<std::uint8_t> answer_to(std::span<const std::uint8_t> query) {
  const std::size_t end = header_octets + plain_name_octets(query.subspan(header_octets)) + 4;
  std::vector<std::uint8_t> answer(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(end));
  store16(answer.data() + 2, 0x8180);
  store16(answer.data() + 6, 1);
  store16(answer.data() + 10, 0);
  const std::uint8_t record[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};
  answer.insert(answer.end(), std::begin(record), std::end(record));
  return answer;
}

// range(0): queries outstanding all the time.
void pipeline_add_and_receive(benchmark::State& state) {
  Random random;
  Pipeline pipeline;
  const Question question = question_number(1);
  std::vector<std::uint8_t> output;
  std::vector<std::vector<std::uint8_t>> answers;
  const auto ask = [&] {
    output.clear();
    pipeline.add({1, 1}, question, {}, Instant{}, random, output);
    return answer_to(std::span(output).subspan(stream_length_octets));
  };
  for (std::int64_t at = 0; at < state.range(0); ++at) answers.push_back(ask());
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(pipeline.receive(answers[next]));
    output.clear();
    pipeline.add({1, 1}, question, {}, Instant{}, random, output);
    // The same answer under the new ID.
    std::copy_n(output.begin() + stream_length_octets, 2, answers[next].begin());
    next = (next + 1) % answers.size();
  }
}
BENCHMARK(pipeline_add_and_receive)->Arg(1)->Arg(500)->Arg(1'000);

struct Loopback final : Link, LinkOpener, ExchangeEvents, UpstreamObserver {
  std::string path_to(const EndpointSpec&) override { return "path"; }
  std::unique_ptr<Link> open(const EndpointSpec&, LinkEvents& link_events) override {
    events = &link_events;
    struct Handle final : Link {
      explicit Handle(Loopback& to) : owner(to) {}
      void write(std::span<const std::uint8_t> plaintext) override { owner.write(plaintext); }
      void acknowledge() override {}
      void close() override {}
      Loopback& owner;
    };
    return std::make_unique<Handle>(*this);
  }
  void write(std::span<const std::uint8_t> plaintext) override {
    written.assign(plaintext.begin(), plaintext.end());
  }
  void acknowledge() override {}
  void close() override {}
  void on_answer(std::uint64_t, const Question&, Answer&) override { ++answered; }
  void on_failure(std::uint64_t, const Question&, const ExchangeFailure&) override {}
  void on_upstreams_back() override {}
  void on_upstream_event(const UpstreamEvent&) override {}

  // Answers everything that was written, in one piece.
  void answer_all() {
    reply.clear();
    for (std::size_t at = 0; at < written.size();) {
      const std::size_t octets = load16(written.data() + at);
      const auto answer = answer_to(std::span(written).subspan(at + stream_length_octets, octets));
      reply.push_back(static_cast<std::uint8_t>(answer.size() >> 8U));
      reply.push_back(static_cast<std::uint8_t>(answer.size() & 0xFFU));
      reply.insert(reply.end(), answer.begin(), answer.end());
      at += stream_length_octets + octets;
    }
    std::copy(reply.begin(), reply.end(), events->plaintext_space(reply.size()).begin());
    events->on_plaintext(reply.size());
  }

  LinkEvents* events = nullptr;
  std::vector<std::uint8_t> written;
  std::vector<std::uint8_t> reply;
  std::uint64_t answered = 0;
};

// range(0): queries in one turn. Includes making the answers, about 60 ns each.
void exchange_from_question_to_answer(benchmark::State& state) {
  const Instant now{std::chrono::seconds{1'000}};
  Random random;
  Loopback loopback;
  BackoffRegistry backoffs;
  UpstreamCounters counters;
  Pool pool{loopback, backoffs, loopback, counters, random, now};
  Exchanges exchanges{pool, now};
  exchanges.set_events(loopback);
  UpstreamSpec spec;
  spec.endpoints.emplace_back();
  pool.apply({.groups = {{.name = "default", .upstreams = {spec}}}, .health = {}});
  std::vector<Question> questions;
  for (std::int64_t at = 0; at < state.range(0); ++at) {
    questions.push_back(question_number(static_cast<std::uint64_t>(at)));
  }
  exchanges.start(questions[0], 0);
  exchanges.end_turn();
  loopback.events->on_tcp_connected();
  loopback.events->on_link_ready({});
  exchanges.end_turn();
  loopback.answer_all();
  for (auto _ : state) {
    for (const Question& question : questions) exchanges.start(question, 0);
    exchanges.end_turn();
    loopback.answer_all();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(loopback.answered));
}
BENCHMARK(exchange_from_question_to_answer)->Arg(1)->Arg(64)->Arg(500);

}  // namespace
}  // namespace sotto
