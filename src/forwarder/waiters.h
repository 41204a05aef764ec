// The queries of clients that wait for an exchange, in one worker: bounded for each client address
// and in all. Whoever waits most gives way first, with its oldest query. Why so:
// doc/decisions/0017-who-waits-most-gives-way.md. Test: tests/unit/forwarder/waiters_test.cc
// (against a naive model).
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/intrusive_list.h"
#include "base/probe_table.h"
#include "base/slot_map.h"
#include "dns/name.h"
#include "dns/response.h"
#include "forwarder/client.h"

namespace sotto {

// All clients together. Each query that waits costs about 450 octets.
inline constexpr std::size_t waiting_queries_max = 32'768;
// One client's: behind one address many may stand. IPv6, too, is counted by address and not by /64,
// since a whole household shares one.
inline constexpr std::size_t waiting_per_client_max = 4'096;

using WaiterId = StaleId<struct WaiterTag>;

// One query that waits. What stands first is the owner's; the rest is the lists'.
struct Waiter {
  Waiter() = default;
  Waiter(const Waiter&) = delete;  // asker views qname
  Waiter& operator=(const Waiter&) = delete;

  // Copies the name, too: the query's octets are gone when it is answered.
  void remember(const Asker& asked) {
    qname.assign(asked.qname);
    asker = asked;
    asker.qname = qname.octets();
  }

  Asker asker;  // its name is this one:
  Name qname;
  ReplyTo to;
  std::uint64_t exchange = 0;  // the token of what it waits for

  WaiterId id;
  struct WaitingClient* client = nullptr;
  ListHook<Waiter> in_joined;
  ListHook<Waiter> by_age;  // of its client's
  void reset() { assert(!in_joined.linked && !by_age.linked); }
};

// A client that has queries waiting.
struct WaitingClient {
  StaleId<struct WaitingClientTag> id;
  std::uint64_t hash = 0;  // of its address
  std::array<std::uint8_t, 16> address;
  std::size_t address_octets = 0;
  IntrusiveList<Waiter, &Waiter::by_age> waiters;  // oldest first
  ListHook<WaitingClient> in_level;
  void reset() { assert(waiters.empty() && !in_level.linked); }
};

class Waiters {
 public:
  // Who waits for the same exchange, in the order they came. Owned by whoever knows the exchange.
  using Joined = IntrusiveList<Waiter, &Waiter::in_joined>;

  struct Bounds {
    std::size_t in_all = waiting_queries_max;
    std::size_t per_client = waiting_per_client_max;
  };
  // seed: unpredictable, as strangers choose the addresses that are hashed.
  explicit Waiters(std::uint64_t seed) : Waiters(seed, Bounds{}) {}
  Waiters(std::uint64_t seed, Bounds bounds);

  std::size_t size() const { return waiters_.size(); }
  // Addresses that have a query waiting.
  std::size_t clients() const { return clients_.size(); }
  // Would one more query of this client send another one away?
  bool full_for(std::span<const std::uint8_t> address) const;

  // Puts one more at the end of joined; the owner's part is left to set. address: 4 or 16 octets.
  // Call surplus() next.
  Waiter& add(std::span<const std::uint8_t> address, Joined& joined);
  // What has to end now that a bound is exceeded by one, or null: of the client that has the most
  // waiting, the oldest. Never what was added last.
  Waiter* surplus() const;
  // joined: where it is now.
  void remove(Waiter& waiter, Joined& joined);

 private:
  using Level = IntrusiveList<WaitingClient, &WaitingClient::in_level>;

  std::uint64_t hash(std::span<const std::uint8_t> address) const;
  WaitingClient* find(std::span<const std::uint8_t> address, std::uint64_t hash) const;
  WaitingClient& find_or_insert(std::span<const std::uint8_t> address);

  const std::uint64_t seed_;
  const Bounds bounds_;
  SlotMap<Waiter, WaiterTag> waiters_;
  SlotMap<WaitingClient, WaitingClientTag> clients_;
  ProbeTable<WaitingClient*> by_address_{64};
  // Clients by how many of their queries wait; one may be above its bound until surplus() is gone.
  std::vector<Level> levels_;
  std::size_t highest_ = 0;  // the highest level that has clients, 0 if there are none
};

}  // namespace sotto
