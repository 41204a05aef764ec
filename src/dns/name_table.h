// Name compression (RFC 1035 §4.1.4): remembers which names a message already holds and writes new
// ones as labels and a pointer. Test: tests/unit/dns/name_table_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dns/flat_name.h"
#include "dns/message_builder.h"

namespace sotto {

// Every known name is a label in front of a known name, so one step of the search is one look-up of
// (label, offset of the rest): the time is linear in the labels, whatever the message holds.
// Suffixes are shared only if they agree octet for octet: nobody's spelling is changed.
class NameTable {
 public:
  // message_octets: the length of the message to be written, roughly. Decides the table's size.
  // The message is out's for the whole life of the table, and its question is already in it.
  NameTable(MessageBuilder& out, std::span<const std::uint8_t> qname, std::size_t message_octets);

  // Appends the name, compressed as far as possible.
  void write(const FlatName& name);

 private:
  // Offset of the root: the header stands there, no name does.
  static constexpr std::uint16_t root = 0;
  // Half of the slots may be used: by the 127 labels a question can have even in the smallest
  // table, by 1,024 in the largest. Messages with more distinct labels are compressed less.
  static constexpr std::size_t slots_max = 2'048;
  static constexpr std::size_t slots_min = 256;
  static_assert(slots_min / 2 > name_labels_max);
  // Looks at no more neighbours than this, so that chosen collisions cost size but not time.
  static constexpr std::size_t probes_max = 16;

  struct Slot {
    std::uint16_t offset;  // of the label in the message; 0: free
    std::uint16_t rest;    // offset of the name behind the label
  };

  void start();
  std::size_t first_slot(std::span<const std::uint8_t> label, std::uint16_t rest) const;
  std::uint16_t find(std::span<const std::uint8_t> label, std::uint16_t rest) const;
  // Remembers the first labels of name, written at position, in front of rest.
  void remember(const FlatName& name, std::size_t labels, std::size_t position, std::uint16_t rest);
  bool insert(std::span<const std::uint8_t> label, std::uint16_t rest, std::size_t offset);

  MessageBuilder& out_;
  std::span<const std::uint8_t> qname_;
  std::size_t slots_;
  std::size_t free_;
  bool started_ = false;               // most answers need no table: their owners are the qname
  std::array<Slot, slots_max> table_;  // the first slots_ are in use, set by start()
};

}  // namespace sotto
