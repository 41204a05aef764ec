// What HTTP/2 costs per query, without TLS and sockets: a client's octets, prepared, through
// DohStream; what a real client adds is nghttp2's other half. And what an idle connection holds.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <memory>

#include "frontend/doh_stream.h"
#include "http2_client.h"

namespace {

using sotto::test::Http2Client;
using sotto::test::Octets;

const Octets query{0,   0,   1,   0,   0,   1,   0,   0, 0,   0,   0,   0, 3, 'w', 'w', 'w', 7,
                   'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'c', 'o', 'm', 0, 0, 1,   0,   1};
constexpr const char* get_path = "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";

Octets answer() {
  Octets octets = query;
  octets[2] = 0x81;
  octets[3] = 0x80;
  octets[7] = 1;
  for (const int octet : {0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1}) {
    octets.push_back(static_cast<std::uint8_t>(octet));
  }
  return octets;
}

// Requests of a client for many turns, made beforehand: their header blocks build on each other.
class Requests {
 public:
  Requests(bool post, std::size_t at_once) : post_(post), at_once_(at_once) {}

  const Octets& next(sotto::DohStream& stream) {
    for (std::size_t i = 0; i < at_once_; ++i) {
      if (post_) {
        client_->post("/dns-query", query);
      } else {
        client_->get(get_path);
      }
    }
    sent_ = client_->output();
    static_cast<void>(stream);
    return sent_;
  }
  void receive(std::span<const std::uint8_t> octets) { client_->receive(octets); }

 private:
  bool post_;
  std::size_t at_once_;
  std::unique_ptr<Http2Client> client_ = std::make_unique<Http2Client>();
  Octets sent_;
};

// post: else GET. at_once: requests in one read of the socket, as many as leave in one write.
void serve(benchmark::State& state, bool post) {
  const auto at_once = static_cast<std::size_t>(state.range(0));
  sotto::DohCounters counters;
  const Octets response = answer();
  auto stream = std::make_unique<sotto::DohStream>("/dns-query", counters);
  Requests requests(post, at_once);
  sotto::OctetQueue out;
  std::size_t answered = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const Octets& octets = requests.next(*stream);
    state.ResumeTiming();
    stream->receive(octets);
    while (const auto asked = stream->next()) {
      stream->respond(asked->stream, response);
      ++answered;
    }
    stream->produce(out);
    benchmark::DoNotOptimize(out.octets().data());
    state.PauseTiming();
    requests.receive(out.octets());
    out.consume(out.size());
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(answered));
  state.counters["per_query"] = benchmark::Counter(
      static_cast<double>(answered), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void serve_post(benchmark::State& state) {
  serve(state, true);
}
void serve_get(benchmark::State& state) {
  serve(state, false);
}
BENCHMARK(serve_post)->Arg(1)->Arg(25)->Arg(100);
BENCHMARK(serve_get)->Arg(25);

// Octets the allocator gave out for a connection that asked as often, and is idle now.
void idle_connection(benchmark::State& state) {
  const Octets response = answer();
  double octets = 0;
  for (auto _ : state) {
    sotto::DohCounters counters;
    std::vector<std::unique_ptr<sotto::DohStream>> streams;
    std::vector<std::unique_ptr<Requests>> clients;
    for (int i = 0; i < 100; ++i) {
      clients.push_back(std::make_unique<Requests>(true, 4));
      streams.push_back(nullptr);
    }
    const std::size_t before = mallinfo2().uordblks;
    std::size_t theirs = 0;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      streams[i] = std::make_unique<sotto::DohStream>("/dns-query", counters);
      for (std::int64_t turn = 0; turn < state.range(0); ++turn) {
        const std::size_t begin = mallinfo2().uordblks;
        const Octets& sent = clients[i]->next(*streams[i]);
        theirs += mallinfo2().uordblks - begin;
        streams[i]->receive(sent);
        while (const auto asked = streams[i]->next()) streams[i]->respond(asked->stream, response);
        sotto::OctetQueue out;
        streams[i]->produce(out);
        const std::size_t middle = mallinfo2().uordblks;
        clients[i]->receive(out.octets());
        theirs += mallinfo2().uordblks - middle;
      }
    }
    octets = static_cast<double>(mallinfo2().uordblks - before - theirs) / 100;
  }
  state.counters["octets"] = octets;
}
BENCHMARK(idle_connection)->Arg(1)->Arg(10)->Iterations(1);

}  // namespace
