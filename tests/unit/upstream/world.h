// Everything between questions and links, with a clock the test turns.
#pragma once

#include <gtest/gtest.h>
#include <map>
#include <string>

#include "scripted_link.h"
#include "upstream/exchanges.h"

namespace sotto {

class World final : public ExchangeEvents, public UpstreamObserver {
 public:
  // upstreams: endpoints of each, in order; ports tell them apart.
  explicit World(std::vector<std::vector<std::uint16_t>> upstreams,
                 Selection how = Selection::order, unsigned hedging = 0)
      : selection(how), hedge_percent(hedging) {
    apply(std::move(upstreams));
  }

  void apply(std::vector<std::vector<std::uint16_t>> upstreams) {
    std::vector<UpstreamSpec> specs;
    for (const auto& ports : upstreams) {
      UpstreamSpec spec{.name = "upstream-" + std::to_string(ports.front()), .endpoints = {}};
      for (const std::uint16_t port : ports) {
        TlsPeerIdentity identity;
        identity.endpoint.port = port;
        spec.endpoints.push_back({identity, nullptr, {}});
      }
      specs.push_back(std::move(spec));
    }
    pool.apply(
        {.groups = {{.name = "default", .selection = selection, .upstreams = std::move(specs)}},
         .hedge_percent = hedge_percent,
         .health = {}});
  }

  // Asks and ends the turn. The token is how results are found.
  std::uint64_t ask(std::string_view name = "www.example.") {
    const Question question{name_from_text(name)->octets(), rtype::a, rclass::in, {}};
    exchanges.start(question, ++tokens_);
    end_turn();
    return tokens_;
  }
  void end_turn() { exchanges.end_turn(); }
  // Lets time pass, from deadline to deadline.
  void wait(Duration time) {
    const Instant until = now + time;
    for (int steps = 0; exchanges.next_deadline() <= until; ++steps) {
      ASSERT_LT(steps, 10'000)
          << "a deadline that has passed and changes nothing would spin the loop";
      now = std::max(now, exchanges.next_deadline());
      exchanges.on_deadline();
      end_turn();
    }
    now = until;
  }
  LinkScript& link(std::size_t index) { return opener.at(index); }
  std::uint16_t port(std::size_t index) { return opener.at(index).peer.endpoint.port; }
  // Links of this port that are open.
  std::vector<LinkScript*> open_links(std::uint16_t port) {
    std::vector<LinkScript*> found;
    for (const auto& link : opener.links) {
      if (link->open() && link->peer.endpoint.port == port) found.push_back(link.get());
    }
    return found;
  }
  void become_ready(LinkScript& link) {
    link.become_ready();
    end_turn();
  }
  void die(LinkScript& link, FailureKind kind = FailureKind::transport) {
    link.die(kind);
    end_turn();
  }
  void respond(LinkScript& link, const std::vector<std::uint8_t>& message) {
    link.respond(message);
    end_turn();
  }

  // The last octet of the answer's only address; 0 if it has none.
  void on_answer(std::uint64_t token, const Question&, Answer& answer) override {
    ASSERT_FALSE(answers.contains(token) || failures.contains(token)) << "answered twice";
    answers[token] =
        load16(answer.message.data() + 6) == 0 ? std::uint8_t{0} : answer.message.back();
    rcodes[token] = answer.rcode;
    if (answer.extended_error) errors[token] = answer.extended_error->code;
  }
  void on_failure(std::uint64_t token, const Question&, const ExchangeFailure& failure) override {
    ASSERT_FALSE(answers.contains(token) || failures.contains(token)) << "answered twice";
    failures[token] = failure.ede_code;
  }
  void on_upstreams_back() override { ++times_back; }
  void on_upstream_event(const UpstreamEvent& event) override { events.push_back(event.kind); }
  std::size_t count(UpstreamEvent::Kind kind) const {
    return static_cast<std::size_t>(std::count(events.begin(), events.end(), kind));
  }

  Selection selection;
  unsigned hedge_percent;
  Instant now{std::chrono::seconds{1'000}};
  Random random{1};
  ScriptedOpener opener;
  BackoffRegistry backoffs;
  UpstreamCounters counters;
  Pool pool{opener, backoffs, *this, counters, random, now};
  Exchanges exchanges{pool, now};
  std::map<std::uint64_t, std::uint8_t> answers;
  std::map<std::uint64_t, std::uint16_t> rcodes;
  std::map<std::uint64_t, std::uint16_t> errors;  // of answers that have one
  std::map<std::uint64_t, std::uint16_t> failures;
  std::vector<UpstreamEvent::Kind> events;
  int times_back = 0;  // that an upstream answered after all had failed

 private:
  std::uint64_t tokens_ = (exchanges.set_events(*this), 0);
};

}  // namespace sotto
