#include "cache/entry.h"

#include <cassert>

#include "dns/name.h"
#include "dns/record_walk.h"
#include "dns/wire.h"

namespace sotto {
namespace {

// One RRset's end in a word. Offsets fit: a message has at most 65,535 octets.
struct StoredEnd {
  std::uint16_t offset;
  std::uint16_t answers;
  std::uint16_t authorities;
  std::uint16_t additionals;
};
static_assert(sizeof(StoredEnd) == word_octets);

// The question section: name, type, class.
std::span<const std::uint8_t> wire_question(const Question& question) {
  return question.key().first(question.name().size() + question_tail_octets);
}

void load_rrset_ends(const Word* from, const EntryHead& head, Answer& answer) {
  answer.rrset_ends.clear();
  for (std::size_t i = 0; i < head.rrset_words; ++i) {
    const auto end = std::bit_cast<StoredEnd>(load_word(from[i]));
    answer.rrset_ends.push_back({end.offset, end.answers, end.authorities, end.additionals});
  }
  const bool empty = head.answers == 0 && head.authorities == 0 && head.additionals == 0;
  if (head.rrset_words > 0 || empty) return;
  answer.rrset_ends.push_back({static_cast<std::uint32_t>(answer.message.size()), head.answers,
                               head.authorities, head.additionals});
}

void load_extended_error(const Word* from, const EntryHead& head, Answer& answer) {
  answer.extended_error.reset();
  if (head.ede_octets < 2 || head.ede_octets > 2 + ede_text_octets_max) return;
  std::array<std::uint8_t, 2 + ede_text_octets_max> octets;
  copy_from_words(from, octets.data(), head.ede_octets);
  answer.extended_error =
      ExtendedError{.code = load16(octets.data()),
                    .text = std::string_view(reinterpret_cast<const char*>(octets.data() + 2),
                                             head.ede_octets - std::size_t{2})};
}

// Everything behind the payload, and the header in front of it.
void complete_answer(const Word* behind_payload, const EntryHead& head, Answer& answer) {
  load_rrset_ends(behind_payload, head, answer);
  load_extended_error(behind_payload + head.rrset_words, head, answer);
  answer.rcode = head.rcode;
  answer.ttl_min = head.ttl;
  answer.edns = false;
  answer.keepalive.reset();
  std::uint8_t* const header = answer.message.data();
  store16(header, 0);
  store16(header + 2, static_cast<std::uint16_t>((head.authentic != 0 ? flag::authentic_data : 0) |
                                                 (head.rcode & flag::rcode_mask)));
  store16(header + 4, 1);
  store16(header + 6, head.answers);
  store16(header + 8, head.authorities);
  store16(header + 10, head.additionals);
}

// As far as the head tells.
inline EntryMatch match_head(const Word* block, const Word* end, const Question& question,
                             EntryHead& head) {
  if (block + entry_prefix_words > end) return EntryMatch::torn;
  load_entry_head(block, head);
  if (head.scope != question.scope()) return EntryMatch::other;
  if (head.payload_octets < wire_question(question).size()) return EntryMatch::other;
  if (head.payload_octets > message_octets_max - header_octets) return EntryMatch::torn;
  return block + entry_words(head) > end ? EntryMatch::torn : EntryMatch::same;
}

// Names end themselves: if these octets are equal, so are the names' lengths.
bool begins_with_question(const std::uint8_t* payload, const Question& question) {
  const auto asked = wire_question(question);
  return std::memcmp(payload, asked.data(), asked.size()) == 0;
}

template <class Change>
void for_each_ttl(std::span<std::uint8_t> message, const Question& question, Change change) {
  RecordWalk walk(message, header_octets + wire_question(question).size());
  while (!walk.at_end()) {
    std::uint8_t* const ttl = message.data() + walk.next().ttl();
    store32(ttl, change(load32(ttl)));
  }
}

}  // namespace

void store_entry_head(Word* block, const EntryHead& head) {
  const auto words = std::bit_cast<std::array<std::uint64_t, entry_head_words>>(head);
  for (std::size_t i = 0; i < entry_head_words; ++i) {
    store_word(block[block_head_words + i], words[i]);
  }
}

PackedEntry::PackedEntry(const Question& question, const Answer& answer) {
  const auto payload = std::span(answer.message).subspan(header_octets);
  head.payload_octets = static_cast<std::uint16_t>(payload.size());
  head.scope = question.scope();
  head.ttl = answer.ttl_min;
  head.rcode = answer.rcode & 0xFFFU;
  head.authentic = answer.authentic() ? 1 : 0;
  head.answers = load16(answer.message.data() + 6);
  head.authorities = load16(answer.message.data() + 8);
  head.additionals = load16(answer.message.data() + 10);
  std::uint64_t* at = body.data();
  at[words_for(payload.size()) - 1] = 0;  // no stray octets behind the last one
  std::memcpy(at, payload.data(), payload.size());
  at += words_for(payload.size());
  const auto& ends = answer.rrset_ends;
  for (std::size_t i = 0; ends.size() > 1 && i < ends.size(); ++i) {
    const bool last = i + 1 == ends.size();
    const bool cut_here =
        ends[i].offset <= edns_udp_octets_max || last || ends[i + 1].offset > whole_message_octets;
    if (!cut_here) continue;
    *at++ =
        std::bit_cast<std::uint64_t>(StoredEnd{.offset = static_cast<std::uint16_t>(ends[i].offset),
                                               .answers = ends[i].answers,
                                               .authorities = ends[i].authorities,
                                               .additionals = ends[i].additionals});
    ++head.rrset_words;
  }
  if (answer.extended_error) {
    const ExtendedError& error = *answer.extended_error;
    std::array<std::uint8_t, words_for(2 + ede_text_octets_max) * word_octets> octets{};
    store16(octets.data(), error.code);
    std::copy(error.text.begin(), error.text.end(), octets.begin() + 2);
    head.ede_octets = static_cast<std::uint8_t>(2 + error.text.size());
    std::memcpy(at, octets.data(), words_for(head.ede_octets) * word_octets);
  }
}

Answer without_records(const Question& question, const Answer& failure) {
  Answer bare;
  bare.message.resize(header_octets);
  const auto asked = wire_question(question);
  bare.message.insert(bare.message.end(), asked.begin(), asked.end());
  bare.rcode = failure.rcode;
  bare.extended_error = failure.extended_error;
  return bare;
}

void PackedEntry::store(Word* block) const {
  store_entry_head(block, head);
  const std::size_t words = entry_words(head) - entry_prefix_words;
  for (std::size_t i = 0; i < words; ++i) store_word(block[entry_prefix_words + i], body[i]);
}

EntryMatch read_entry(const Word* block, const Word* end, const Question& question, EntryHead& head,
                      Answer& answer) {
  const EntryMatch match = match_head(block, end, question, head);
  if (match != EntryMatch::same) return match;
  answer.message.resize(header_octets + head.payload_octets);
  std::uint8_t* const payload = answer.message.data() + header_octets;
  const Word* const from = block + entry_prefix_words;
  copy_from_words(from, payload, head.payload_octets);
  if (!begins_with_question(payload, question)) return EntryMatch::other;
  complete_answer(from + words_for(head.payload_octets), head, answer);
  return EntryMatch::same;
}

EntryMatch read_entry(const Word* block, const Word* end, const Question& question, EntryHead& head,
                      std::span<std::uint8_t> message) {
  assert(message.size() >= header_octets + question.key().size() + word_octets);
  const EntryMatch match = match_head(block, end, question, head);
  if (match != EntryMatch::same) return match;
  // Of what does not fit only the question is looked at.
  const std::size_t octets =
      is_placed(head, message.size()) ? head.payload_octets : wire_question(question).size();
  std::uint8_t* const payload = message.data() + header_octets;
  copy_whole_words(block + entry_prefix_words, payload, words_for(octets));
  return begins_with_question(payload, question) ? EntryMatch::same : EntryMatch::other;
}

EntryKey load_entry_key(const Word* block) {
  constexpr std::size_t usual_octets = 64;
  const EntryHead head = load_entry_head(block);
  EntryKey key;
  for (std::size_t some = usual_octets; key.name_octets == 0; some = key.octets.size()) {
    const std::size_t octets = std::min<std::size_t>(head.payload_octets, some);
    copy_from_words(block + entry_prefix_words, key.octets.data(), octets);
    const std::size_t name = plain_name_octets(std::span(key.octets).first(octets));
    if (name + question_tail_octets <= octets) key.name_octets = name;
    assert(key.name_octets > 0 || some == usual_octets);
  }
  store32(key.octets.data() + key.name_octets + question_tail_octets, head.scope);
  return key;
}

Question entry_question(const Word* block) {
  const EntryKey key = load_entry_key(block);
  const std::uint8_t* const tail = key.octets.data() + key.name_octets;
  return Question::with_scope(key.name(), load16(tail), load16(tail + 2), load32(tail + 4));
}

void read_entry_answer(const Word* block, EntryHead& head, Answer& answer) {
  load_entry_head(block, head);
  answer.message.resize(header_octets + head.payload_octets);
  const Word* const from = block + entry_prefix_words;
  copy_from_words(from, answer.message.data() + header_octets, head.payload_octets);
  complete_answer(from + words_for(head.payload_octets), head, answer);
}

void age_ttls(std::span<std::uint8_t> message, const Question& question, std::uint32_t seconds) {
  if (seconds == 0) return;
  for_each_ttl(message, question, [seconds](std::uint32_t ttl) {
    assert(ttl >= seconds);
    return ttl - seconds;
  });
}

void set_ttls(std::span<std::uint8_t> message, const Question& question, std::uint32_t ttl) {
  for_each_ttl(message, question, [ttl](std::uint32_t) { return ttl; });
}

}  // namespace sotto
