// A resolver of the simulation: answers what is true, unless a fault that is on says otherwise.
#pragma once

#include <array>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "fault.h"
#include "message.h"

namespace sotto::sim {

// Which faults are on at one endpoint.
class Conditions {
 public:
  void begin(const FaultEntry& entry, Instant until) {
    Condition& condition = conditions_[static_cast<std::size_t>(entry.fault)];
    condition.until = std::max(condition.until, until);
    condition.amount = entry.amount;
  }
  bool on(Fault fault, Instant now) const { return now < until(fault); }
  Instant until(Fault fault) const { return of(fault).until; }
  unsigned amount(Fault fault) const { return of(fault).amount; }
  // Does it hit this time? For faults whose amount is percent.
  bool hits(Fault fault, Instant now, Random& noise) const {
    return on(fault, now) && noise.below(100) < amount(fault);
  }

 private:
  struct Condition {
    Instant until{};
    unsigned amount = 0;
  };
  const Condition& of(Fault fault) const { return conditions_[static_cast<std::size_t>(fault)]; }

  std::array<Condition, fault_kinds> conditions_;
};

class Server {
 public:
  // noise and clock_now outlive the server.
  Server(Random& noise, const Instant& clock_now) : noise_(noise), now_(clock_now) {}

  Conditions conditions;

  // How long it takes to answer the next query.
  Duration thinks();
  // Whether it does so at all.
  bool answers() { return !conditions.hits(Fault::no_answers, now_, noise_); }
  // What is sent for this query. kept: an answer of the same connection that waits for another to
  // change IDs with, empty if none; more: other queries of the connection are to be answered yet.
  std::vector<Octets> respond(const Message& query, Octets& kept, bool more);

 private:
  bool hits(Fault fault) { return conditions.hits(fault, now_, noise_); }
  Octets garbage();
  Message about_something_else(const Message& query);
  // bare: with nothing but its header.
  Octets failure(const Message& query, std::uint16_t rcode, bool bare = false);

  Random& noise_;
  const Instant& now_;
};

}  // namespace sotto::sim
