// What the clients of one transport asked and were answered, in one worker.
// Test: tests/unit/frontend/transport_counters_test.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/counters.h"
#include "dns/constants.h"
#include "dns/wire.h"

namespace sotto {

struct TransportCounters {
  // The codes a header can hold, and BADVERS, which is what sotto says itself of those beyond.
  static constexpr std::size_t rcodes = rcode::badvers + 1;

  // queries = responses + what the forwarder dropped or gave up for a client that had gone + those
  // that still wait.
  Counter queries;                        // given to the forwarder, whatever it made of them
  std::array<Counter, rcodes> responses;  // by RCODE

  // response: whole, as the forwarder wrote it.
  void count_response(std::span<const std::uint8_t> response) {
    const std::size_t code = response[3] & flag::rcode_mask;
    const bool no_records = load16(&response[6]) == 0 && load16(&response[8]) == 0;
    responses[code == 0 && no_records ? code_without_records(response) : code].add();
  }

 private:
  static std::size_t code_without_records(std::span<const std::uint8_t> response);
};

}  // namespace sotto
