// Which exchanges have waited longer for their answer than is usual: first those that are late for
// the upstream they were sent to, then those that are late by any measure.
// Test: tests/unit/upstream/exchanges_test.cc.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "upstream/exchange.h"

namespace sotto {

// Hedging sooner than this costs more than it gains, however fast the upstream is.
inline constexpr Duration hedge_after_min = std::chrono::milliseconds{5};
// Over another connection to the same upstream no sooner than this: a pause that short is more
// often a busy machine than a lost segment.
inline constexpr Duration hedge_at_home_min = std::chrono::milliseconds{40};
// … and after this, when nobody knows how fast it is.
inline constexpr Duration hedge_after_unknown = std::chrono::milliseconds{250};
// A query that has no answer after this is asked once more, even of the same upstream: somewhere it
// was lost. Late enough to leave slow resolvers in peace, and early enough for the client.
inline constexpr Duration lost_after = std::chrono::seconds{2};
// … and again after this, while somebody waits.
inline constexpr Duration lost_again_after = std::chrono::seconds{1};

// Queries of our own that find out whether a slow upstream has recovered: percent of clients' ones.
inline constexpr unsigned explore_percent = 5;

// A share of clients' queries, saved up to a burst.
class ShareBudget {
 public:
  static constexpr double saved_max = 32;

  void earn(unsigned percent) { saved_ = std::min(saved_ + percent / 100.0, saved_max); }
  bool take() {
    if (saved_ < 1) return false;
    saved_ -= 1;
    return true;
  }

 private:
  double saved_ = saved_max / 4;
};

// Lists of exchanges in the order in which they were first sent, one for each upstream, as patience
// differs between them, one for those that have been late already, and one for those that were
// asked again.
class Lateness {
 public:
  using List = IntrusiveList<Exchange, &Exchange::by_lateness>;

  // exchange has just been sent for the first time, to this upstream.
  void add(Exchange& exchange, std::uint32_t upstream) {
    exchange.late_in = upstream;
    list_of(upstream).push_back(exchange);
  }
  // It was late for its upstream and waits on.
  void add_late(Exchange& exchange) {
    exchange.late_in = late;
    exchange.lost_at = exchange.asked + lost_after;
    late_.push_back(exchange);
  }
  // It was asked again.
  void add_lost(Exchange& exchange, Instant now) {
    exchange.late_in = lost;
    exchange.lost_at = now + lost_again_after;
    lost_.push_back(exchange);
  }
  void remove(Exchange& exchange) {
    if (!List::contains(exchange)) return;
    switch (exchange.late_in) {
      case late:
        return late_.remove(exchange);
      case lost:
        return lost_.remove(exchange);
      default:
        return list_of(exchange.late_in).remove(exchange);
    }
  }

  // callback(std::uint32_t upstream, Exchange&) for the oldest of each upstream.
  template <class Callback>
  void for_each_front(Callback callback) const {
    for (const auto& one : lists_) {
      if (!one->list.empty()) callback(one->upstream, *one->list.front());
    }
  }
  // The one whose lost_at comes first, or null.
  Exchange* next_lost() const {
    Exchange* one = late_.front();
    Exchange* other = lost_.front();
    if (one == nullptr || other == nullptr) return one != nullptr ? one : other;
    return one->lost_at <= other->lost_at ? one : other;
  }

 private:
  // Exchange::late_in, where it is no upstream's id.
  static constexpr std::uint32_t late = 0;
  static constexpr std::uint32_t lost = ~std::uint32_t{0};

  struct Of {
    std::uint32_t upstream;
    List list;
  };
  // An upstream that is not configured any more leaves a few octets.
  List& list_of(std::uint32_t upstream) {
    for (const auto& one : lists_) {
      if (one->upstream == upstream) return one->list;
    }
    std::erase_if(lists_, [](const auto& one) { return one->list.empty(); });
    lists_.push_back(std::make_unique<Of>(Of{upstream, {}}));
    return lists_.back()->list;
  }

  std::vector<std::unique_ptr<Of>> lists_;
  List late_;
  List lost_;
};

}  // namespace sotto
