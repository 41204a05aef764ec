#include "forwarder/waiters.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <vector>

namespace sotto {
namespace {

using Address = std::vector<std::uint8_t>;

Address v4(std::uint8_t last) {
  return {192, 0, 2, last};
}

// Waiters that all wait for the same; each has a number of its own in exchange.
class WaitersTest : public testing::Test {
 protected:
  Waiter& add(const Address& address) {
    Waiter& waiter = waiters_.add(address, joined_);
    waiter.exchange = ++numbers_;
    return waiter;
  }
  // Adds one, and removes what has to go; answers its number, 0 if there is room.
  std::uint64_t add_and_settle(const Address& address) {
    add(address);
    Waiter* surplus = waiters_.surplus();
    if (surplus == nullptr) return 0;
    const std::uint64_t number = surplus->exchange;
    waiters_.remove(*surplus, joined_);
    EXPECT_EQ(waiters_.surplus(), nullptr);
    return number;
  }

  Waiters waiters_{1, {.in_all = 10, .per_client = 4}};
  Waiters::Joined joined_;
  std::uint64_t numbers_ = 0;
};

TEST_F(WaitersTest, AtItsBoundAClientsOwnOldestGoes) {
  for (int at = 0; at < 3; ++at) EXPECT_EQ(add_and_settle(v4(1)), 0U);
  EXPECT_EQ(add_and_settle(v4(2)), 0U);
  EXPECT_FALSE(waiters_.full_for(v4(1)));
  EXPECT_EQ(add_and_settle(v4(1)), 0U) << "the bound itself is allowed";
  EXPECT_TRUE(waiters_.full_for(v4(1)));
  EXPECT_FALSE(waiters_.full_for(v4(2)));
  EXPECT_FALSE(waiters_.full_for(v4(3)));
  EXPECT_EQ(add_and_settle(v4(1)), 1U);
  EXPECT_EQ(add_and_settle(v4(1)), 2U);
  EXPECT_EQ(add_and_settle(v4(2)), 0U) << "the others' bound is theirs";
  EXPECT_EQ(add_and_settle(v4(1)), 3U);
  EXPECT_EQ(waiters_.size(), 6U);
}

TEST_F(WaitersTest, AtTheBoundOfAllTheOldestOfWhoHasMostGoes) {
  add_and_settle(v4(1));                                           // 1, the oldest of all
  for (int at = 0; at < 4; ++at) add_and_settle(v4(2));            // 2 to 5
  for (int at = 0; at < 3; ++at) add_and_settle(v4(3));            // 6 to 8
  for (std::uint8_t at = 4; at < 6; ++at) add_and_settle(v4(at));  // 9 and 10
  EXPECT_EQ(waiters_.size(), 10U);
  EXPECT_TRUE(waiters_.full_for(v4(9)));
  EXPECT_EQ(add_and_settle(v4(6)), 2U) << "a newcomer finds room where most is held";
  EXPECT_EQ(add_and_settle(v4(1)), 6U) << "of those that hold as much, who has for longest";
  EXPECT_EQ(add_and_settle(v4(1)), 3U);
  EXPECT_EQ(waiters_.size(), 10U);
}

TEST_F(WaitersTest, OfManyThatHaveOneEachTheOldestGoesNeverTheNewest) {
  for (std::uint8_t at = 0; at < 10; ++at) EXPECT_EQ(add_and_settle(v4(at)), 0U);
  for (std::uint8_t at = 10; at < 200; ++at) EXPECT_EQ(add_and_settle(v4(at)), at - 9U);
  EXPECT_EQ(waiters_.clients(), 10U) << "whoever has nothing waiting is forgotten";
}

TEST_F(WaitersTest, AddressesOfBothFamiliesAreClients) {
  const Address v6{0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  Address neighbour = v6;
  neighbour.back() = 2;
  Address begins_alike = v6;
  begins_alike.resize(4);
  for (int at = 0; at < 2; ++at) {
    for (const Address& address : {v6, neighbour, begins_alike}) add(address);
  }
  EXPECT_EQ(waiters_.clients(), 3U);
  EXPECT_EQ(waiters_.size(), 6U);
}

TEST_F(WaitersTest, ThoseWhoWaitForTheSameStayInOrder) {
  Waiters::Joined other;
  for (int at = 0; at < 3; ++at) add(v4(1));
  Waiter& elsewhere = waiters_.add(v4(1), other);
  waiters_.remove(*Waiters::Joined::next(*joined_.front()), joined_);
  EXPECT_EQ(joined_.front()->exchange, 1U);
  EXPECT_EQ(joined_.back()->exchange, 3U);
  waiters_.remove(elsewhere, other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(waiters_.size(), 2U);
}

// The same by counting everything anew each time.
class NaiveWaiters {
 public:
  void add(std::uint8_t client, std::uint64_t number) {
    waiting_.push_back({client, number});
    changed_[client] = ++changes_;
  }
  void remove(std::uint64_t number) {
    const auto at = std::ranges::find(waiting_, number, &One::number);
    changed_[at->client] = ++changes_;
    waiting_.erase(at);
  }
  std::size_t of(std::uint8_t client) const {
    return static_cast<std::size_t>(std::ranges::count(waiting_, client, &One::client));
  }
  std::uint64_t surplus(Waiters::Bounds bounds) const {
    std::size_t most = 0;
    std::uint64_t since = 0;
    std::uint64_t oldest = 0;
    bool over = waiting_.size() > bounds.in_all;
    for (const One& one : waiting_) {
      const std::size_t count = of(one.client);
      over = over || count > bounds.per_client;
      const std::uint64_t changed = changed_.at(one.client);
      if (count < most || (count == most && changed >= since)) continue;
      most = count;
      since = changed;
      oldest = one.number;  // the first one found is the client's oldest
    }
    return over ? oldest : 0;
  }
  std::uint64_t any(std::size_t at) const { return waiting_[at % waiting_.size()].number; }
  std::size_t size() const { return waiting_.size(); }

 private:
  struct One {
    std::uint8_t client;
    std::uint64_t number;
  };
  std::vector<One> waiting_;  // in the order they came
  std::map<std::uint8_t, std::uint64_t> changed_;
  std::uint64_t changes_ = 0;
};

void compare_with_model(unsigned seed, Waiters::Bounds bounds, unsigned clients) {
  std::mt19937 random(seed);
  Waiters waiters(seed, bounds);
  Waiters::Joined joined;
  std::map<std::uint64_t, Waiter*> by_number;
  NaiveWaiters model;
  const auto remove = [&](std::uint64_t number) {
    waiters.remove(*by_number.at(number), joined);
    by_number.erase(number);
    model.remove(number);
  };
  for (std::uint64_t number = 1; number <= 1'000; ++number) {
    const auto client = static_cast<std::uint8_t>(random() % clients);
    Waiter& waiter = waiters.add(v4(client), joined);
    waiter.exchange = number;
    by_number[number] = &waiter;
    model.add(client, number);
    const Waiter* surplus = waiters.surplus();
    const std::uint64_t expected = model.surplus(bounds);
    ASSERT_EQ(surplus != nullptr ? surplus->exchange : 0, expected) << "query " << number;
    ASSERT_NE(expected, number) << "what was added last stays";
    if (expected != 0) remove(expected);
    ASSERT_EQ(waiters.surplus(), nullptr);
    for (unsigned ends = static_cast<unsigned>(random() % 3); ends > 0 && model.size() > 0;
         --ends) {
      if (random() % 4 == 0) remove(model.any(random()));
    }
    ASSERT_EQ(waiters.size(), model.size());
    ASSERT_EQ(waiters.full_for(v4(client)),
              model.size() >= bounds.in_all || model.of(client) >= bounds.per_client);
  }
  while (model.size() > 0) remove(model.any(random()));
  EXPECT_EQ(waiters.size(), 0U);
  EXPECT_EQ(waiters.clients(), 0U);
  EXPECT_TRUE(joined.empty());
}

TEST(WaitersModel, AgreesOnWhoHasToGo) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    compare_with_model(seed, {.in_all = 40, .per_client = 12}, 6);
    compare_with_model(seed, {.in_all = 40, .per_client = 40}, 3);
    compare_with_model(seed, {.in_all = 30, .per_client = 2}, 100);
    compare_with_model(seed, {.in_all = 1, .per_client = 1}, 2);
  }
}

}  // namespace
}  // namespace sotto
