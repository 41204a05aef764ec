// Finds where RRsets end while an answer is written, and makes the TTLs inside each one equal.
// Test: tests/unit/dns/answer_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dns/answer.h"
#include "dns/flat_name.h"
#include "dns/message_builder.h"

namespace sotto {

// What makes records one RRset, beside their owner (RFC 2181 §5). RRSIGs go by the type they cover,
// for their TTLs do too (RFC 4034 §3).
struct RrsetKey {
  std::uint16_t type;
  std::uint16_t rclass;
  std::uint16_t covered;  // of RRSIG, else 0
  friend bool operator==(const RrsetKey&, const RrsetKey&) = default;
};

// Records of one RRset usually stand together. Where others stand between them, all of them become
// one unit, cut together and with one TTL, the lowest: record order is kept, and nothing lives
// longer than its upstream said.
class RrsetMarker {
 public:
  RrsetMarker(MessageBuilder& out, std::vector<RrsetEnd>& ends) : out_(out), ends_(ends) {}

  // Before the first record of each section; section: 0 answer, 1 authority, 2 additional.
  void start_section(std::size_t section);
  // Before a record is written. same_owner: as the record before it.
  void start_record(const RrsetKey& key, std::span<const std::uint8_t> owner, bool same_owner,
                    std::uint32_t ttl);
  // After it was written.
  void end_record();
  // After the last record.
  void end_message() { close_unit(); }

  // By section.
  const std::array<std::uint16_t, 3>& counts() const { return counts_; }

 private:
  // Scattered RRsets are searched for among this many of a section, and joined this often in a
  // message; beyond, records are RRsets as they stand. Bounds the time of a prepared message.
  static constexpr std::size_t seen_max = 32;
  static constexpr std::size_t joins_max = 32;

  struct Seen {
    RrsetKey key;
    std::uint32_t owner_at;  // in the message
    std::size_t unit;        // index into ends_
  };

  Seen* find_seen(const RrsetKey& key, std::span<const std::uint8_t> owner);
  void open_unit(const RrsetKey& key);
  void join_unit(std::size_t unit);
  void close_unit();
  std::size_t unit_begin() const;
  // Calls each(ttl) with every TTL field of the unit in progress.
  template <class Each>
  void visit_ttls(Each&& each);

  MessageBuilder& out_;
  std::vector<RrsetEnd>& ends_;
  std::array<std::uint16_t, 3> counts_{};
  std::size_t section_ = 0;
  std::size_t records_begin_ = 0;  // of the message's first record
  bool open_ = false;              // a unit of this section is in progress
  bool uneven_ = false;            // its TTLs differ
  std::uint32_t ttl_ = 0;          // its lowest
  RrsetKey key_{};                 // of the record before
  std::size_t joins_ = 0;
  std::size_t seen_count_ = 0;
  std::array<Seen, seen_max> seen_;  // the first seen_count_ of this section
};

}  // namespace sotto
