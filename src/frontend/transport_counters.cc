#include "frontend/transport_counters.h"

namespace sotto {

// BADVERS says so in OPT, which stands behind the question; the header says NOERROR.
std::size_t TransportCounters::code_without_records(std::span<const std::uint8_t> response) {
  if (load16(&response[10]) != 1) return rcode::noerror;
  std::size_t at = header_octets;
  if (load16(&response[4]) == 1) {
    while (response[at] != 0) at += std::size_t{1} + response[at];
    constexpr std::size_t root_type_and_class = 5;
    at += root_type_and_class;
  }
  const bool is_opt = response[at] == 0 && load16(&response[at + 1]) == rtype::opt;
  constexpr std::size_t root_type_and_payload = 5;
  const std::uint8_t upper_eight_bits = response[at + root_type_and_payload];
  return is_opt && upper_eight_bits == rcode::badvers >> 4U ? rcode::badvers : rcode::noerror;
}

}  // namespace sotto
