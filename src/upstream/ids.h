// Ids of the upstream side, each a type of its own; an id whose object is gone finds nothing.
#pragma once

#include "base/slot_map.h"

namespace sotto {

using ExchangeId = StaleId<struct ExchangeTag>;
using ConnectionId = StaleId<struct ConnectionTag>;
using PipelineSlotId = StaleId<struct PipelineSlotTag>;

// One try of an exchange on one connection.
struct AttemptId {
  ConnectionId connection;
  PipelineSlotId slot;
  friend bool operator==(const AttemptId&, const AttemptId&) = default;
};

}  // namespace sotto
