// Where connections leave from, as far as the user said: for VPNs and several uplinks.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "transport/address.h"

namespace sotto {

// What is left out is the routing's to decide.
struct LocalEnd {
  std::optional<IpAddress> source = {};  // of the peer's family
  std::string interface = {};            // SO_BINDTODEVICE
  std::uint32_t mark = 0;                // SO_MARK; 0: none

  friend bool operator==(const LocalEnd&, const LocalEnd&) = default;
  friend auto operator<=>(const LocalEnd&, const LocalEnd&) = default;
};

}  // namespace sotto
