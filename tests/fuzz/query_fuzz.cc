// Queries: what is accepted is forwarded as exactly what was parsed, and everything that is not
// dropped can be answered.
#include <algorithm>
#include <array>

#include "check.h"
#include "dns/query.h"
#include "dns/question.h"
#include "dns/response.h"
#include "naive_message.h"

namespace {

using namespace sotto;

void check_forwarded(const Query& query) {
  const Question question(query.qname, query.qtype, query.qclass,
                          {.recursion_desired = query.recursion_desired(),
                           .checking_disabled = query.checking_disabled(),
                           .dnssec_ok = query.edns.dnssec_ok});
  std::array<std::uint8_t, upstream_query_octets_max> buffer;
  const std::span<const std::uint8_t> sent(buffer.data(),
                                           write_upstream_query(question, query.id, {}, buffer));
  SOTTO_CHECK(question.matches(sent));
  const auto parsed = test::naive_message(sent);
  SOTTO_CHECK(parsed && parsed->end == sent.size() && parsed->records.size() == 1);
  Query again;
  SOTTO_CHECK(parse_query(sent, again) == Verdict::accept);
  SOTTO_CHECK(Question(again.qname, again.qtype, again.qclass, question.flags()) == question);
}

void check_answered(const Query& query, std::span<const std::uint8_t> message) {
  std::array<std::uint8_t, edns_udp_octets_max> buffer;
  const Asker asker = Asker::of(query, response_octets_max(query.edns, true));
  const LocalAnswer local = {.rcode = rcode::badvers, .ede_code = 15, .ede_text = "why"};
  const std::size_t octets = write_local_response(local, asker, buffer);
  SOTTO_CHECK(octets <= asker.octets_max);
  const std::span<const std::uint8_t> sent(buffer.data(), octets);
  SOTTO_CHECK(std::equal(sent.begin(), sent.begin() + 2, message.begin()));
  SOTTO_CHECK((sent[2] & 0xF8) == ((message[2] & 0x78) | 0x80));
  if (asker.qname.empty()) return;
  const auto parsed = test::naive_message(sent);
  SOTTO_CHECK(parsed && parsed->end == octets);
  SOTTO_CHECK(parsed->records.size() == (query.edns.present ? 1U : 0U));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> message(data, size);
  Query query;
  const Verdict verdict = parse_query(message, query);
  SOTTO_CHECK((verdict == Verdict::drop) == (size < header_octets || data[2] >= 0x80));
  if (verdict == Verdict::drop) return 0;
  check_answered(query, message);
  if (verdict == Verdict::accept) check_forwarded(query);
  return 0;
}
