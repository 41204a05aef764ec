#include "dns/name_table.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "dns/letter_case.h"
#include "dns/wire.h"

namespace sotto {
namespace {

constexpr std::uint16_t pointer_mark = 0xC000;
constexpr std::size_t pointer_target_max = 0x3FFF;

// The length octet belongs to the label.
std::span<const std::uint8_t> label_of(const FlatName& name, std::size_t index) {
  const std::size_t start = name.label_starts[index];
  return {name.octets.data() + start, std::size_t{name.octets[start]} + 1};
}

}  // namespace

NameTable::NameTable(MessageBuilder& out, std::span<const std::uint8_t> qname,
                     std::size_t message_octets)
    : out_(out),
      qname_(qname),
      // A record with a new label of its own takes some 16 octets: a quarter of the slots.
      slots_(std::clamp(std::bit_ceil(message_octets / 4), slots_min, slots_max)),
      free_(slots_ / 2) {}

void NameTable::start() {
  started_ = true;
  std::fill_n(table_.begin(), slots_, Slot{0, 0});
  FlatName name;
  const auto behind = expand_name(qname_, 0, name);
  assert(behind && *behind == qname_.size());
  remember(name, name.labels, header_octets, root);
}

std::size_t NameTable::first_slot(std::span<const std::uint8_t> label, std::uint16_t rest) const {
  constexpr std::uint64_t factor = 0x9E37'79B9'7F4A'7C15U;  // 2^64 divided by the golden ratio
  std::uint64_t mixed = rest;
  std::size_t at = 0;
  for (; at + sizeof mixed <= label.size(); at += sizeof mixed) {
    mixed = std::rotl((mixed ^ load_native64(label.data() + at)) * factor, 29);
  }
  std::uint64_t last = 0;
  for (; at < label.size(); ++at) last = (last << 8U) | label[at];
  mixed = (mixed ^ last) * factor;
  return (mixed >> 40U) & (slots_ - 1);
}

std::uint16_t NameTable::find(std::span<const std::uint8_t> label, std::uint16_t rest) const {
  const std::size_t first = first_slot(label, rest);
  for (std::size_t probe = 0; probe < probes_max; ++probe) {
    const Slot slot = table_[(first + probe) & (slots_ - 1)];
    if (slot.offset == 0) return 0;
    // A label whose length octet agrees lies wholly in the message.
    const std::uint8_t* const known = out_.data() + slot.offset;
    if (slot.rest == rest && known[0] == label[0] &&
        std::equal(label.begin(), label.end(), known)) {
      return slot.offset;
    }
  }
  return 0;
}

bool NameTable::insert(std::span<const std::uint8_t> label, std::uint16_t rest,
                       std::size_t offset) {
  if (offset > pointer_target_max || free_ == 0) return false;
  const std::size_t first = first_slot(label, rest);
  for (std::size_t probe = 0; probe < probes_max; ++probe) {
    Slot& slot = table_[(first + probe) & (slots_ - 1)];
    if (slot.offset != 0) continue;
    slot = {.offset = static_cast<std::uint16_t>(offset), .rest = rest};
    --free_;
    return true;
  }
  return false;
}

void NameTable::remember(const FlatName& name, std::size_t labels, std::size_t position,
                         std::uint16_t rest) {
  // From the right: a label is found only through the name behind it.
  for (std::size_t index = labels; index-- > 0;) {
    const std::size_t offset = position + name.label_starts[index];
    if (!insert(label_of(name, index), rest, offset)) return;
    rest = static_cast<std::uint16_t>(offset);
  }
}

void NameTable::write(const FlatName& name) {
  if (!started_) start();
  std::uint16_t rest = root;
  std::size_t labels = name.labels;  // still to be written out
  while (labels > 0) {
    const std::uint16_t known = find(label_of(name, labels - 1), rest);
    if (known == 0) break;
    rest = known;
    --labels;
  }
  const std::size_t position = out_.position();
  const std::size_t plain_octets =
      labels < name.labels ? name.label_starts[labels] : std::size_t{name.length} - 1;
  out_.put({name.octets.data(), plain_octets});
  if (rest == root) {
    out_.put8(0);
  } else {
    out_.put16(static_cast<std::uint16_t>(pointer_mark | rest));
  }
  if (labels > 0 && out_.ok()) remember(name, labels, position, rest);
}

}  // namespace sotto
