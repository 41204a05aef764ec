// How many connections clients may hold, in all and each, whatever is spoken on them. Test:
// tests/unit/frontend/stream_limits_test.cc.
#pragma once

#include <cstddef>
#include <map>

#include "transport/address.h"

namespace sotto {

// A connection counts from its first moment on, and for its client once that is known: behind a
// proxy, when the PROXY header has come.
class StreamLimits {
 public:
  void set(std::size_t connections_max, std::size_t per_client_max) {
    connections_max_ = connections_max;
    per_client_max_ = per_client_max;
  }

  bool full() const { return connections_ >= connections_max_; }
  bool full_for(const IpAddress& client) const {
    const auto known = by_client_.find(client);
    return known != by_client_.end() && known->second >= per_client_max_;
  }
  void opened() { ++connections_; }
  void closed() { --connections_; }
  void opened_for(const IpAddress& client) { ++by_client_[client]; }
  void closed_for(const IpAddress& client) {
    const auto known = by_client_.find(client);
    if (--known->second == 0) by_client_.erase(known);
  }
  std::size_t connections() const { return connections_; }
  std::size_t connections_max() const { return connections_max_; }

 private:
  std::size_t connections_max_ = 10'000;
  std::size_t per_client_max_ = 1'000;
  std::size_t connections_ = 0;
  std::map<IpAddress, std::size_t> by_client_;
};

}  // namespace sotto
