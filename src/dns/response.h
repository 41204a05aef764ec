// Responses to clients: an upstream's answer finished for one client, and answers of our own.
// Test: tests/unit/dns/response_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dns/answer.h"
#include "dns/constants.h"
#include "dns/query.h"

namespace sotto {

// A query, and what its response may be. Views into the query's octets, as Query is; without a name
// there is no question to echo.
struct Asker : Query {
  std::uint16_t octets_max = 0;     // what fits: by transport and EDNS, see response_octets_max()
  std::uint16_t padding_block = 0;  // pad to a multiple of this; 0: no padding
  std::uint16_t keepalive = 0;  // units of 100 ms, sent if the client asked for it and it is not 0

  static Asker of(const Query& query, std::uint16_t octets_max) {
    Asker asker;
    asker.octets_max = octets_max;
    asker.take(query);
    return asker;
  }
  // What the query says; the rest stays as it is.
  void take(const Query& query) { static_cast<Query&>(*this) = query; }
};

// RFC 6891 §6.2.3, RFC 9715: over UDP min(client's size, 1232), 512 without EDNS.
std::uint16_t response_octets_max(const QueryEdns& edns, bool datagram);

// Writes the answer for one client: its ID, its spelling of the name, QR and RA set, AA cleared, RD
// and CD as the client sent them, AD only if the answer is authentic and the client wants it, OPT
// with the answer's EDE if the client sent OPT. Truncates at an RRset's end, TC=1, OPT kept, if
// octets_max demands. buffer: at least asker.octets_max octets. Returns the octets written.
std::size_t write_response(const Answer& answer, const Asker& asker,
                           std::span<std::uint8_t> buffer);

// A message whose question and records stand in a buffer already, behind the room for its header.
struct PlacedMessage {
  std::size_t octets = 0;   // the header's included
  std::uint16_t rcode = 0;  // twelve bits
  bool authentic = false;
  std::uint16_t answers = 0;  // records, by section
  std::uint16_t authorities = 0;
  std::uint16_t additionals = 0;
};

// What such a message may have at most, so that it needs no truncation.
std::size_t placed_octets_max(const Asker& asker);

// Makes of it what write_response() makes of an answer without EDE. placed.octets: at most
// placed_octets_max(). Returns the octets of the whole response.
std::size_t complete_response(const PlacedMessage& placed, const Asker& asker,
                              std::span<std::uint8_t> buffer);

struct LocalAnswer {
  std::uint16_t rcode = rcode::noerror;  // twelve bits
  std::uint16_t ede_code = ede::other;
  std::string_view ede_text = {};  // an EDE option is written if code or text is set
  // Records ready for the wire, their owner a pointer to the question (0xC00C); counts beside them.
  std::span<const std::uint8_t> answer_records = {};
  std::uint16_t answer_count = 0;
  std::span<const std::uint8_t> authority_records = {};
  std::uint16_t authority_count = 0;
};

// Writes a response made here, by the same rules as write_response().
std::size_t write_local_response(const LocalAnswer& local, const Asker& asker,
                                 std::span<std::uint8_t> buffer);

}  // namespace sotto
