// How many TCP connections clients may hold, in all and each. Test:
// tests/unit/frontend/tcp_limits_test.cc.
#pragma once

#include <cstddef>
#include <map>

#include "transport/address.h"

namespace sotto {

class TcpLimits {
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
  void opened(const IpAddress& client) {
    ++connections_;
    ++by_client_[client];
  }
  void closed(const IpAddress& client) {
    --connections_;
    const auto known = by_client_.find(client);
    if (--known->second == 0) by_client_.erase(known);
  }
  std::size_t connections() const { return connections_; }

 private:
  std::size_t connections_max_ = 10'000;
  std::size_t per_client_max_ = 1'000;
  std::size_t connections_ = 0;
  std::map<IpAddress, std::size_t> by_client_;
};

}  // namespace sotto
