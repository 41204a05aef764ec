#include "fault.h"

#include <algorithm>
#include <array>

namespace sotto::sim {
namespace {

constexpr std::array<std::string_view, fault_kinds> names = {"reset",
                                                             "reset_often",
                                                             "half_open",
                                                             "fin",
                                                             "fin_after",
                                                             "fin_idle",
                                                             "fin_at_once",
                                                             "silence",
                                                             "zero_window",
                                                             "slow",
                                                             "loss",
                                                             "stall",
                                                             "trickle",
                                                             "refuse",
                                                             "no_route",
                                                             "connect_hole",
                                                             "handshake_hole",
                                                             "slow_handshake",
                                                             "bad_certificate",
                                                             "no_resumption",
                                                             "reorder",
                                                             "slow_answers",
                                                             "no_answers",
                                                             "other_question",
                                                             "other_id",
                                                             "swapped_ids",
                                                             "garbage",
                                                             "header_only",
                                                             "duplicate",
                                                             "unasked",
                                                             "servfail",
                                                             "refused",
                                                             "formerr",
                                                             "keepalive_zero",
                                                             "network_change",
                                                             "suspend",
                                                             "pause",
                                                             "reload",
                                                             "flush"};

}  // namespace

std::string_view name_of(Fault fault) {
  return names[static_cast<std::size_t>(fault)];
}

std::optional<Fault> fault_named(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Fault>(found - names.begin());
}

}  // namespace sotto::sim
