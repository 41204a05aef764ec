// The response demultiplexer: exchanges, pool, connections and pipelines against a server that says
// anything. Whatever it sends, every question gets exactly one result, in time, over a bounded
// number of connections. The input is a script: an operation, then its operands.
#include <algorithm>
#include <map>
#include <vector>

#include "../unit/upstream/scripted_link.h"
#include "check.h"
#include "upstream/exchanges.h"

namespace {

using namespace sotto;

class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : data_(data, size) {}
  bool empty() const { return data_.empty(); }
  std::uint8_t next() {
    if (data_.empty()) return 0;
    const std::uint8_t octet = data_.front();
    data_ = data_.subspan(1);
    return octet;
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    const auto taken = data_.first(std::min(count, data_.size()));
    data_ = data_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::uint8_t> data_;
};

class Play final : ExchangeEvents, UpstreamObserver {
 public:
  Play() {
    exchanges_.set_events(*this);
    std::vector<UpstreamSpec> specs(2);
    for (std::uint16_t port = 0; port < specs.size(); ++port) {
      specs[port].endpoints.emplace_back();
      specs[port].endpoints[0].identity.endpoint.port = port;
    }
    pool_.apply({.groups = {{.name = "default", .upstreams = std::move(specs)}}, .health = {}});
  }

  void run(Script script) {
    ask();
    while (!script.empty()) step(script);
    for (int seconds = 0; seconds < 20; ++seconds) wait(std::chrono::seconds{1});
    SOTTO_CHECK(results_.size() == tokens_);
    SOTTO_CHECK(exchanges_.in_progress() == 0);
  }

 private:
  void step(Script& script) {
    switch (script.next() % 6) {
      case 0:
        if (tokens_ < 50) ask();
        break;
      case 1:
        for_open([](LinkScript& link) {
          if (!link.ready) link.become_ready();
        });
        break;
      case 2:
        deliver(script.take(script.next()));
        break;
      case 3:
        respond(script);
        break;
      case 4:
        wait(std::chrono::milliseconds{script.next() * 4});
        break;
      default:
        for_open([&](LinkScript& link) { link.die(static_cast<FailureKind>(script.next() % 4)); });
        break;
    }
    exchanges_.end_turn();
    collect();
    std::size_t open = 0;
    for_open([&](LinkScript&) { ++open; });
    SOTTO_CHECK(open <= 2 * connections_per_upstream_max);
  }

  void ask() {
    const auto name = name_from_text("name-" + std::to_string(tokens_ % 7) + ".example.");
    exchanges_.start({name->octets(), rtype::a, rclass::in, {}}, tokens_++);
    exchanges_.end_turn();
  }

  void wait(Duration time) {
    const Instant until = now_ + time;
    for (int turns = 0; exchanges_.next_deadline() <= until; ++turns) {
      SOTTO_CHECK(turns < 10'000);
      now_ = std::max(now_, exchanges_.next_deadline());
      exchanges_.on_deadline();
      exchanges_.end_turn();
    }
    now_ = until;
  }

  template <class Do>
  void for_open(Do what) {
    const auto links = opener_.links;  // more may be opened meanwhile
    for (const auto& link : links) {
      if (link->open()) what(*link);
    }
  }

  void collect() {
    for_open([&](LinkScript& link) {
      for (SeenQuery& query : link.queries()) seen_.emplace_back(&link, std::move(query));
    });
  }

  // Raw octets on every connection that is up.
  void deliver(std::span<const std::uint8_t> octets) {
    for_open([&](LinkScript& link) {
      if (link.ready && !octets.empty()) link.deliver(octets);
    });
  }

  // An answer to a query that was asked, with some octets changed.
  void respond(Script& script) {
    if (seen_.empty()) return;
    const auto& [link, query] = seen_[script.next() % seen_.size()];
    auto message = query.answer();
    for (std::uint8_t changes = script.next() % 4; changes > 0; --changes) {
      message[script.next() % message.size()] = script.next();
    }
    if (link->open()) link->respond(message);
  }

  void on_answer(std::uint64_t token, const Question&, Answer& answer) override {
    SOTTO_CHECK(!results_.contains(token));
    SOTTO_CHECK(answer.message.size() >= header_octets);
    results_[token] = true;
  }
  void on_upstreams_back() override {}
  void on_failure(std::uint64_t token, const Question&, const ExchangeFailure&) override {
    SOTTO_CHECK(!results_.contains(token));
    results_[token] = false;
  }
  void on_upstream_event(const UpstreamEvent&) override {}

  Instant now_{std::chrono::seconds{1'000}};
  Random random_{1};
  ScriptedOpener opener_;
  BackoffRegistry backoffs_;
  UpstreamCounters counters_;
  Pool pool_{opener_, backoffs_, *this, counters_, random_, now_};
  Exchanges exchanges_{pool_, now_};
  std::uint64_t tokens_ = 0;
  std::map<std::uint64_t, bool> results_;
  std::vector<std::pair<LinkScript*, SeenQuery>> seen_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Play{}.run(Script(data, size));
  return 0;
}
