// The life of a query, the same for all frontends: check, policy, local names, cache, coalesce,
// exchange, finish. Decides; frontends and links do.
// Test: tests/unit/forwarder/forwarder_test.cc, tests/integration.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/counters.h"
#include "base/intrusive_list.h"
#include "base/probe_table.h"
#include "base/random.h"
#include "base/slot_map.h"
#include "cache/cache.h"
#include "cache/ttl_rules.h"
#include "dns/query.h"
#include "dns/response.h"
#include "forwarder/client.h"
#include "forwarder/refresh_budget.h"
#include "forwarder/waiters.h"
#include "policy/networks.h"
#include "policy/special_names.h"
#include "upstream/exchanges.h"

namespace sotto {

// Exchanges nobody waits for, which refresh the cache. While no upstream is usable, stale answers
// are given at once and asked about anew; so many are enough to find out that one is.
inline constexpr std::size_t background_exchanges_max = 1'024;

// RFC 8767 §5: how long a client waits for upstreams before it gets a stale answer, if there is
// one.
inline constexpr Duration stale_client_timeout = std::chrono::milliseconds{1'800};

// How long others may join an exchange: whoever joins has no more time than it has left, and when
// no upstream can be reached that decides whether they get an answer once one can.
inline constexpr Duration joined_for = std::chrono::seconds{1};

struct ForwarderPolicy {
  std::vector<Network> allow = local_networks();
  bool allow_verified = true;  // clients with a verified certificate may ask from anywhere
  SpecialNames names;
  TtlRules ttl;
  unsigned prefetch_percent = 10;
};

// queries = hits + misses + local + refused + malformed + dropped,
// misses = coalesced + forwarded, and
// coalesced + forwarded = answered + stale_waited + unauthenticated + unreachable + unanswered +
// unusable + shed + abandoned + those in progress.
struct ForwarderCounters {
  Counter queries;
  Counter local;      // answered from local names
  Counter refused;    // by policy
  Counter malformed;  // FORMERR, NOTIMP, BADVERS
  Counter dropped;    // met with silence
  Counter hits;       // answered at once from the cache: fresh, stale or a remembered failure
  Counter misses;
  Counter failures_held;  // hits: remembered failures
  Counter stale;          // stale answers, at once or …
  Counter stale_waited;   // … to clients that had waited for upstreams
  Counter prefetched;     // exchanges begun for answers about to run out …
  Counter rechecked;      // … and for stale ones given at once: nobody waits for either
  Counter coalesced;      // joined an exchange in progress
  Counter forwarded;      // began an exchange
  Counter answered;       // by an upstream
  // SERVFAIL of our own, by ExchangeFailure::Cause.
  Counter unauthenticated, unreachable, unanswered, unusable;
  Counter shed;       // SERVFAIL, as too many were waiting
  Counter abandoned;  // the client had gone
};

class Forwarder final : public ExchangeEvents {
 public:
  // All outlive the forwarder.
  Forwarder(Exchanges& exchanges, Cache& cache, ForwarderCounters& counters, Random& random,
            const Instant& clock_now);

  void apply(ForwarderPolicy policy);

  // A message of a batch, read before it is answered. Views into the message.
  struct Incoming {
    Verdict verdict = Verdict::drop;
    Query query;
    Question question;  // if accepted
    std::uint64_t hash = 0;
  };

  enum class Outcome : std::uint8_t {
    drop,      // no response
    answered,  // octets were written
    pending,   // call forward() now
  };
  struct Now {
    Outcome outcome;
    std::size_t octets = 0;
  };
  // Answers what can be answered without asking anyone. No allocation. message: stays in place
  // until forward(). out: at least edns_udp_octets_max octets for datagrams, message_octets_max for
  // streams, none of them message's; may be written to whatever comes of it.
  Now answer_now(const Client& client, std::span<const std::uint8_t> message,
                 std::span<std::uint8_t> out);
  // The same in three steps, for those who receive several messages at once: the waits for memory
  // overlap. At most batch_max; they and their octets stay in place until the next ones.
  static constexpr std::size_t batch_max = Cache::prefetch_max;
  void read(std::span<const std::uint8_t> message, Incoming& incoming) const;
  void prefetch(std::span<const Incoming> batch) const;
  Now answer_now(const Client& client, const Incoming& incoming, std::span<std::uint8_t> out);

  // Right after answer_now() said pending, before the next one: begins or joins an
  // exchange. Its result goes to the sink of to, later. From inside this call another query that
  // has waited for longer may get its SERVFAIL or a stale answer, by whatever sink it came.
  void forward(const ReplyTo& to);

  // Queries of clients that wait.
  std::size_t waiting() const { return waiters_.size(); }

  // When on_deadline() wants to be called.
  Instant next_deadline() const;
  // Gives stale answers to clients that have waited long enough.
  void on_deadline();

  // ExchangeEvents
  void on_answer(std::uint64_t token, const Question& question, Answer& answer) override;
  void on_failure(std::uint64_t token, const Question& question,
                  const ExchangeFailure& failure) override;
  void on_upstreams_back() override { cache_.forget_failures(); }

 private:
  using PendingId = StaleId<struct PendingTag>;
  // Whom an exchange is for.
  enum class Purpose : std::uint8_t {
    clients,  // somebody waits
    cache,    // nobody does; counted in refreshes_
    nothing,  // those who waited were sent away; cancelled
  };
  // An exchange seen from here: its question's hash and who waits for it.
  struct Pending {
    PendingId id;
    ExchangeId exchange;
    std::uint64_t hash = 0;
    std::uint32_t generation = 0;  // of the cache when it began
    Instant begun{};
    Purpose purpose = Purpose::clients;
    Waiters::Joined waiting;
    Instant stale_due = never;  // when those who wait get a stale answer
    ListHook<Pending> by_stale_due;
    void reset() {
      assert(!by_stale_due.linked);
      waiting = {};
      stale_due = never;
    }
  };
  using ByStaleDue = IntrusiveList<Pending, &Pending::by_stale_due>;

  bool may_ask(const Client& client) const;
  // Apart from the way of a hit, so that their needs do not slow it.
  [[gnu::noinline]] std::optional<Now> answer_special(const Query& query,
                                                      std::span<std::uint8_t> out);
  [[gnu::noinline]] Now answer(const LocalAnswer& local, std::span<std::uint8_t> out,
                               Counter& counter);
  std::optional<Now> answer_from_cache(std::span<std::uint8_t> out);
  [[gnu::noinline]] std::optional<Now> answer_by_copy(std::span<std::uint8_t> out);
  Now answer_found(std::span<std::uint8_t> out);
  void refresh_ahead();
  Pending* find_pending();
  ExchangeId find_in_progress();
  Pending& begin_exchange(Purpose purpose);
  void set_purpose(Pending& pending, Purpose purpose);
  void expect_stale(Pending& pending);
  void cancel(Pending& pending);
  void shed(Waiter& waiter);
  Pending end_exchange(PendingId id);
  bool on_failed_answer(const Question& question, Pending& ended, const Answer& answer);
  bool finish_with_stale(Waiters::Joined& waiting, const Question& question, std::uint64_t hash);
  void remember(const ExchangeFailure& failure, const Question& question, const Pending& pending);
  Counter& counter_of(ExchangeFailure::Cause cause);
  template <class Write>
  void finish(Waiters::Joined& waiting, Counter& counter, Write write);

  Exchanges& exchanges_;
  Cache& cache_;
  ForwarderCounters& counters_;
  const Instant& now_;
  ForwarderPolicy policy_;
  RefreshBudget refresh_budget_;

  // The query answer_now() looked at last.
  Incoming single_;
  const Incoming* asked_ = nullptr;
  Asker asker_;  // a view of its message
  std::span<const std::uint8_t> client_address_;
  bool stale_known_ = false;  // there is a stale answer to it

  Answer found_;  // in the cache

  Waiters waiters_;
  SlotMap<Pending, PendingTag> pending_;
  ProbeTable<PendingId> by_question_{1'024};
  ByStaleDue by_stale_due_;
  std::size_t refreshes_ = 0;  // exchanges for the cache
};

}  // namespace sotto
