// What may go wrong, as data: a schedule of faults is a list of entries, so that a failing one can
// be written down, replayed and made shorter.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sotto::sim {

enum class Fault : std::uint8_t {
  // Connections of one endpoint
  reset,        // all of them, at once
  reset_often,  // … every amount ms
  half_open,    // the network forgot those that are open; nothing tells either end
  fin,          // the server closes all of them
  fin_after,    // … each after amount answers
  fin_idle,     // … each after amount ms without a query
  fin_at_once,  // … each as soon as it is ready
  silence,      // octets are accepted and held, in both directions, also of new connections
  zero_window,  // the server does not read
  slow,         // every octet takes amount ms longer, each way
  loss,         // amount % of segments come late by a retransmission or more
  stall,        // amount % of segments, and what follows them, come a second late
  trickle,      // answers come octet by octet
  // Connecting to one endpoint
  refuse,  // the port is closed
  no_route,
  connect_hole,    // no answer to SYN
  handshake_hole,  // no answer to ClientHello
  slow_handshake,  // by amount ms
  bad_certificate,
  no_resumption,  // tickets are refused
  // Answers of one endpoint
  reorder,         // each takes up to amount ms longer
  slow_answers,    // amount % take up to 10 s longer
  no_answers,      // amount % never come
  other_question,  // amount % are answers to another question
  other_id,        // … have another ID
  swapped_ids,     // … have the ID of another query in flight
  garbage,         // … are octets that are no message
  header_only,     // … stop after the header
  duplicate,       // … come twice
  unasked,         // … are preceded by one nobody asked for
  servfail,        // … are SERVFAIL
  refused,         // … are REFUSED, half of them with nothing but a header
  formerr,         // queries with EDNS get FORMERR
  keepalive_zero,  // edns-tcp-keepalive with a timeout of 0 (RFC 7828 §3.4)
  // The host
  network_change,  // another address; amount 0: noticed at once, else never
  suspend,         // time passes without anybody running
  pause,           // the same for an instant: the process gets no CPU
  reload,          // amount: which change of the configuration
  flush,           // of the cache
};
inline constexpr unsigned fault_kinds = static_cast<unsigned>(Fault::flush) + 1;

struct FaultEntry {
  unsigned at = 0;        // ms since the start
  unsigned duration = 0;  // ms
  Fault fault = Fault::reset;
  unsigned endpoint = 0;  // ignored by faults of the host
  unsigned amount = 0;    // see Fault
  friend bool operator==(const FaultEntry&, const FaultEntry&) = default;
};

std::string_view name_of(Fault fault);
std::optional<Fault> fault_named(std::string_view name);
inline bool of_the_host(Fault fault) {
  return fault >= Fault::network_change;
}

}  // namespace sotto::sim
