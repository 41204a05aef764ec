#include "forwarder/waiters.h"

#include <algorithm>

#include "base/hash.h"

namespace sotto {

Waiters::Waiters(std::uint64_t seed, Bounds bounds)
    : seed_(seed), bounds_(bounds), levels_(bounds.per_client + 2) {
  assert(bounds.in_all > 0 && bounds.per_client > 0);
}

std::uint64_t Waiters::hash(std::span<const std::uint8_t> address) const {
  return keyed_hash(address, seed_);
}

WaitingClient* Waiters::find(std::span<const std::uint8_t> address, std::uint64_t hash) const {
  const auto is_it = [address](const WaitingClient* client) {
    return std::ranges::equal(std::span(client->address).first(client->address_octets), address);
  };
  return by_address_.find(hash, is_it).value_or(nullptr);
}

bool Waiters::full_for(std::span<const std::uint8_t> address) const {
  if (waiters_.size() >= bounds_.in_all) return true;
  const WaitingClient* client = find(address, hash(address));
  return client != nullptr && client->waiters.size() >= bounds_.per_client;
}

WaitingClient& Waiters::find_or_insert(std::span<const std::uint8_t> address) {
  const std::uint64_t address_hash = hash(address);
  if (WaitingClient* known = find(address, address_hash)) return *known;
  const auto id = clients_.insert();
  WaitingClient& client = clients_.at(id);
  client.id = id;
  client.hash = address_hash;
  assert(address.size() <= client.address.size());
  std::ranges::copy(address, client.address.begin());
  client.address_octets = address.size();
  by_address_.insert(address_hash, &client);
  return client;
}

Waiter& Waiters::add(std::span<const std::uint8_t> address, Joined& joined) {
  WaitingClient& client = find_or_insert(address);
  const WaiterId id = waiters_.insert();
  Waiter& waiter = waiters_.at(id);
  waiter.id = id;
  waiter.client = &client;
  joined.push_back(waiter);
  const std::size_t before = client.waiters.size();
  client.waiters.push_back(waiter);
  if (before > 0) levels_[before].remove(client);
  levels_[before + 1].push_back(client);
  highest_ = std::max(highest_, before + 1);
  return waiter;
}

// Above its own bound a client has more waiting than any other can have.
Waiter* Waiters::surplus() const {
  if (highest_ <= bounds_.per_client && waiters_.size() <= bounds_.in_all) return nullptr;
  return levels_[highest_].front()->waiters.front();
}

void Waiters::remove(Waiter& waiter, Joined& joined) {
  WaitingClient& client = *waiter.client;
  joined.remove(waiter);
  const std::size_t before = client.waiters.size();
  client.waiters.remove(waiter);
  waiters_.erase(waiter.id);
  levels_[before].remove(client);
  if (before > 1) levels_[before - 1].push_back(client);
  if (levels_[highest_].empty()) --highest_;  // who left it is one below now, or was the last
  if (before == 1) {
    by_address_.erase(client.hash, [&client](WaitingClient* other) { return other == &client; });
    clients_.erase(client.id);
  }
}

}  // namespace sotto
