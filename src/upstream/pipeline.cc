#include "upstream/pipeline.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "dns/name.h"
#include "dns/wire.h"

namespace sotto {
namespace {

// Servers that turn a client away, or cannot read what it says, often answer with a bare header,
// whatever its counts say, or with nothing but OPT behind it.
bool is_refusal(std::span<const std::uint8_t> message) {
  constexpr std::uint8_t opt_begin[] = {0, rtype::opt >> 8U, rtype::opt & 0xFFU};
  constexpr std::size_t opt_octets_min = 11;  // root, type, class, TTL, RDLENGTH
  const bool no_records = load32(message.data() + 4) == 0 && load16(message.data() + 8) == 0;
  const std::span behind = message.subspan(header_octets);
  const std::uint16_t additional = load16(message.data() + 10);
  const bool opt_only = no_records && additional == 1 && behind.size() >= opt_octets_min &&
                        std::equal(std::begin(opt_begin), std::end(opt_begin), behind.begin());
  if (!behind.empty() && !opt_only) return false;
  switch (load16(message.data() + 2) & flag::rcode_mask) {
    case rcode::formerr:
    case rcode::servfail:
    case rcode::notimp:
    case rcode::refused:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Pipeline::release(PipelineSlotId slot_id) {
  const Slot& slot = slots_.at(slot_id);
  if (slot.abandoned) --abandoned_;
  by_id_.erase(slot.id, [slot_id](PipelineSlotId member) { return member == slot_id; });
  slots_.erase(slot_id);
}

PipelineSlotId Pipeline::add(ExchangeId exchange, const Question& question, const QueryShape& shape,
                             Instant now, Random& random, std::vector<std::uint8_t>& output) {
  assert(!full());
  std::uint16_t id = random.next16();
  while (by_id_.contains(id)) id = random.next16();  // ends: at most 1,024 of 65,536 are taken
  const PipelineSlotId slot_id = slots_.insert();
  Slot& slot = slots_.at(slot_id);
  slot.exchange = exchange;
  slot.question = question;
  slot.sent = now;
  slot.sequence = next_sequence_++;
  slot.id = id;
  by_id_.insert(id, slot_id);
  unheard_.push_back(slot_id);

  const std::size_t begin = output.size();
  output.resize(begin + stream_length_octets + upstream_query_octets_max);
  const std::span<std::uint8_t> message{output.data() + begin + stream_length_octets,
                                        upstream_query_octets_max};
  const std::size_t octets = write_upstream_query(question, id, shape, message);
  store16(output.data() + begin, static_cast<std::uint16_t>(octets));
  output.resize(begin + stream_length_octets + octets);
  return slot_id;
}

Pipeline::Match Pipeline::receive(std::span<const std::uint8_t> message) {
  if (message.size() < stream_length_octets) return {Verdict::unasked, {}, {}, {}};
  const auto slot_id = by_id_.find(load16(message.data()), [](PipelineSlotId) { return true; });
  if (!slot_id) return stray(message);
  const Slot& slot = slots_.at(*slot_id);
  Match match{Verdict::matched, slot.exchange, slot.sent, *slot_id};
  const bool long_enough = message.size() >= header_octets;
  const std::uint16_t flags = long_enough ? load16(message.data() + 2) : std::uint16_t{0};
  if (long_enough && (flags & flag::response) != 0) {
    const bool refusal = is_refusal(message);
    if (refusal || slot.question.matches(message)) {
      if (refusal) match.verdict = Verdict::refusal;
      if (slot.abandoned) match.verdict = Verdict::late;
      newest_answered_ = std::max(newest_answered_, slot.sent);
      sequence_answered_ = std::max(sequence_answered_, slot.sequence);
      release(*slot_id);
      return match;
    }
  }
  if (slot.abandoned) return stray(message);
  match.verdict = Verdict::mismatched;
  return match;
}

// Under an ID that nobody waits for. If somebody waits for this question, it was meant for them,
// and the ID is not to be trusted. Rare enough to look at all of them.
Pipeline::Match Pipeline::stray(std::span<const std::uint8_t> message) {
  Match match{Verdict::unasked, {}, {}, {}};
  if (message.size() < header_octets) {
    expect_garbled();
    return match;
  }
  slots_.for_each([&](PipelineSlotId id, const Slot& slot) {
    if (slot.abandoned || !slot.question.matches(message)) return;
    match = {Verdict::mismatched, slot.exchange, slot.sent, id};
  });
  const bool answers = (load16(message.data() + 2) & flag::response) != 0;
  const bool one_question = load16(message.data() + 4) == 1;
  match.legible = answers && one_question && plain_name_octets(message.subspan(header_octets)) > 0;
  if (match.verdict == Verdict::unasked && !match.legible) expect_garbled();
  return match;
}

// The next in order that nothing was said of.
void Pipeline::expect_garbled() {
  std::uint64_t before = sequence_answered_;
  if (!garbled_.empty()) {
    if (const Slot* last = slots_.find(garbled_.back())) before = std::max(before, last->sequence);
  }
  const Slot* next = nullptr;
  PipelineSlotId next_id;
  slots_.for_each([&](PipelineSlotId id, const Slot& slot) {
    if (slot.abandoned || slot.sequence <= before) return;
    if (next != nullptr && next->sequence < slot.sequence) return;
    next = &slot;
    next_id = id;
  });
  if (next != nullptr) garbled_.push_back(next_id);
}

std::vector<Pipeline::Garbled> Pipeline::take_garbled() {
  std::vector<Garbled> found;
  while (!garbled_.empty()) {
    const Slot* slot = slots_.find(garbled_.front());
    if (slot != nullptr && slot->sequence > sequence_answered_) break;
    if (slot != nullptr && !slot->abandoned) found.push_back({slot->exchange, garbled_.front()});
    garbled_.pop_front();
  }
  return found;
}

std::optional<Instant> Pipeline::oldest_unheard() {
  while (!unheard_.empty()) {
    const Slot* slot = slots_.find(unheard_.front());
    if (slot != nullptr && !slot->abandoned && slot->sent > newest_answered_) return slot->sent;
    unheard_.pop_front();  // for good: what was answered can only become younger
  }
  return std::nullopt;
}

bool Pipeline::abandon(PipelineSlotId slot_id) {
  Slot* slot = slots_.find(slot_id);
  if (slot == nullptr || slot->abandoned) return false;
  slot->abandoned = true;
  ++abandoned_;
  return true;
}

void Pipeline::reassign(PipelineSlotId slot_id, ExchangeId exchange) {
  if (Slot* slot = slots_.find(slot_id)) slot->exchange = exchange;
}

std::vector<ExchangeId> Pipeline::waiting(Instant added_before) {
  std::vector<std::pair<std::uint64_t, ExchangeId>> ordered;
  ordered.reserve(outstanding());
  slots_.for_each([&](PipelineSlotId, Slot& slot) {
    if (!slot.abandoned && slot.sent < added_before)
      ordered.emplace_back(slot.sequence, slot.exchange);
  });
  std::sort(ordered.begin(), ordered.end(),
            [](const auto& left, const auto& right) { return left.first < right.first; });
  std::vector<ExchangeId> exchanges;
  exchanges.reserve(ordered.size());
  for (const auto& [sequence, exchange] : ordered) exchanges.push_back(exchange);
  return exchanges;
}

}  // namespace sotto
