// Answers: what is rewritten means the same to the naive parser, also when it is rewritten again,
// and it can be finished within any limit. The input is a flag octet (1: DO) and a response.
#include <algorithm>
#include <optional>
#include <vector>

#include "check.h"
#include "dns/addresses.h"
#include "dns/answer.h"
#include "dns/name.h"
#include "dns/response.h"
#include "naive_message.h"

namespace {

using namespace sotto;
using test::NaiveMessage;
using test::NaiveRecord;

std::optional<Question> question_of(std::span<const std::uint8_t> message, bool dnssec_ok) {
  if (message.size() < header_octets) return {};
  const std::size_t octets = plain_name_octets(message.subspan(header_octets));
  if (octets == 0 || message.size() < header_octets + octets + 4) return {};
  const std::uint8_t* const tail = message.data() + header_octets + octets;
  return Question(message.subspan(header_octets, octets), load16(tail), load16(tail + 2),
                  {.dnssec_ok = dnssec_ok});
}

bool is_kept(const NaiveRecord& record, const Question& question) {
  if (record.type == rtype::opt) return false;
  const bool dnssec =
      record.type == rtype::rrsig || record.type == rtype::nsec || record.type == rtype::nsec3;
  return !dnssec || question.flags().dnssec_ok || question.type() == record.type ||
         question.type() == rtype::any;
}

void check_meaning(const NaiveMessage& before, const Answer& answer, const Question& question) {
  const auto after = test::naive_message(answer.message);
  SOTTO_CHECK(after && after->end == answer.message.size());
  std::size_t at = 0;
  unsigned long lowest = UINT32_MAX;
  for (NaiveRecord record : before.records) {
    if (!is_kept(record, question)) continue;
    SOTTO_CHECK(at < after->records.size());
    NaiveRecord kept = after->records[at++];
    SOTTO_CHECK(kept.ttl <= std::min(record.ttl, 0x7FFF'FFFFUL));
    lowest = std::min(lowest, kept.ttl);
    kept.ttl = record.ttl;
    SOTTO_CHECK(kept == record);
  }
  SOTTO_CHECK(at == after->records.size());
  SOTTO_CHECK(answer.ttl_min == (at == 0 ? 0 : lowest));
}

void check_finished(const Answer& answer, const Question& question) {
  Asker asker;
  asker.qname = question.name();
  asker.qtype = question.type();
  asker.qclass = question.qclass();
  asker.edns.present = true;
  for (const std::uint16_t limit : std::initializer_list<std::uint16_t>{512, 700, 1'232, 65'535}) {
    asker.octets_max = limit;
    std::vector<std::uint8_t> buffer(limit);
    const std::size_t octets = write_response(answer, asker, buffer);
    SOTTO_CHECK(octets <= limit);
    const auto sent = test::naive_message(std::span(buffer).first(octets));
    SOTTO_CHECK(sent && sent->end == octets && sent->records.back().type == rtype::opt);
  }
}

// What is found is a record of the answer section, of the type asked, and nothing outlives its TTL.
void check_addresses(const Answer& answer, const Question& question) {
  if (question.type() != rtype::a && question.type() != rtype::aaaa) return;
  const AddressRecords found = find_addresses(answer, question);
  SOTTO_CHECK(found.addresses.size() <= load16(answer.message.data() + 6));
  SOTTO_CHECK(found.addresses.empty() ? found.ttl == 0 : found.ttl >= answer.ttl_min);
  for (const auto& octets : found.addresses) {
    SOTTO_CHECK(octets.size() == (question.type() == rtype::a ? 4U : 16U));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 1 + message_octets_max) return 0;
  const std::span<const std::uint8_t> message(data + 1, size - 1);
  const auto question = question_of(message, (data[0] & 1U) != 0);
  if (!question) return 0;
  Answer answer;
  if (!rewrite_response(message, *question, answer)) return 0;
  const auto before = test::naive_message(message);
  SOTTO_CHECK(before.has_value());
  check_meaning(*before, answer, *question);
  check_finished(answer, *question);
  check_addresses(answer, *question);

  std::vector<std::uint8_t> again = answer.message;
  again[2] |= 0x80;
  const auto once = test::naive_message(again);
  SOTTO_CHECK(rewrite_response(again, *question, answer));
  check_meaning(*once, answer, *question);
  return 0;
}
