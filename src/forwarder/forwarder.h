// The life of a query, the same for all frontends: check, policy, local names, cache, coalesce,
// exchange, finish. Decides; frontends and links do.
// Test: tests/unit/forwarder/forwarder_test.cc, tests/integration.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/counters.h"
#include "base/probe_table.h"
#include "base/random.h"
#include "base/slot_map.h"
#include "dns/query.h"
#include "dns/response.h"
#include "forwarder/client.h"
#include "policy/networks.h"
#include "policy/special_names.h"
#include "upstream/exchanges.h"

namespace sotto {

// Clients that wait for an answer, in one worker. Each costs about 400 octets.
inline constexpr std::size_t waiting_queries_max = 32'768;

struct ForwarderPolicy {
  std::vector<Network> allow = local_networks();
  bool special_use_names = true;
  SpecialNames names;
};

// queries = local + refused + malformed + dropped + shed + coalesced + forwarded, and
// coalesced + forwarded = answered + unauthenticated + unreachable + unanswered + unusable +
// abandoned + those in progress.
struct ForwarderCounters {
  Counter queries;
  Counter local;      // answered from local names
  Counter refused;    // by policy
  Counter malformed;  // FORMERR, NOTIMP, BADVERS
  Counter dropped;    // met with silence
  Counter shed;       // too many were waiting
  Counter coalesced;  // joined an exchange in progress
  Counter forwarded;  // began an exchange
  Counter answered;   // by an upstream
  // SERVFAIL of our own, by ExchangeFailure::Cause.
  Counter unauthenticated, unreachable, unanswered, unusable;
  Counter abandoned;  // the client had gone
};

class Forwarder final : public ExchangeEvents {
 public:
  // Both outlive the forwarder.
  Forwarder(Exchanges& exchanges, ForwarderCounters& counters, Random& random);

  void apply(ForwarderPolicy policy) { policy_ = std::move(policy); }

  enum class Outcome : std::uint8_t {
    drop,      // no response
    answered,  // octets were written
    pending,   // call forward() now
  };
  struct Now {
    Outcome outcome;
    std::size_t octets = 0;
  };
  // Answers what can be answered without asking anyone. No allocation. out: at least
  // edns_udp_octets_max octets for datagrams, message_octets_max for streams.
  Now answer_now(const Client& client, std::span<const std::uint8_t> message,
                 std::span<std::uint8_t> out);

  // Right after answer_now() said pending, with message still in place: begins or joins an
  // exchange. Its result goes to the sink of to, maybe from inside this call.
  void forward(const ReplyTo& to);

  // Clients that wait.
  std::size_t waiting() const { return waiters_.size(); }

  // ExchangeEvents
  void on_answer(std::uint64_t token, const Answer& answer) override;
  void on_failure(std::uint64_t token, const ExchangeFailure& failure) override;

 private:
  struct Waiter;
  using WaiterId = StaleId<struct WaiterTag>;
  struct Waiter {
    Asker asker;
    ReplyTo to;
    WaiterId next;
    void reset() { next = {}; }
  };
  // An exchange seen from here: its question's hash and who waits for it.
  struct Pending {
    ExchangeId exchange;
    std::uint64_t hash = 0;
    WaiterId first;
    void reset() { first = {}; }
  };
  using PendingId = StaleId<struct PendingTag>;

  Now answer(const LocalAnswer& local, std::span<std::uint8_t> out, Counter& counter);
  Counter& counter_of(ExchangeFailure::Cause cause);
  template <class Write>
  void finish(std::uint64_t token, Counter& counter, Write write);

  Exchanges& exchanges_;
  ForwarderCounters& counters_;
  const std::uint64_t hash_seed_;
  ForwarderPolicy policy_;

  // Of the query answer_now() looked at last.
  Query query_;
  Asker asker_;
  Question question_;
  std::uint64_t hash_ = 0;

  SlotMap<Waiter, WaiterTag> waiters_;
  SlotMap<Pending, PendingTag> pending_;
  ProbeTable<PendingId> by_question_{1'024};
};

}  // namespace sotto
