// EDNS: the input is OPT's TTL field and RDATA, in a query and in a response.
#include <algorithm>
#include <array>

#include "check.h"
#include "dns/response.h"
#include "make_message.h"
#include "naive_message.h"

namespace {

using namespace sotto;
using test::join;
using test::Octets;

void check_query(const Octets& opt) {
  const Octets message = join({test::header({.flags = 0x0100, .additionals = 1}),
                               test::question("www.example.com", 1), opt});
  Query query;
  const Verdict verdict = parse_query(message, query);
  SOTTO_CHECK(verdict == Verdict::accept || verdict == Verdict::formerr ||
              verdict == Verdict::badvers);
  SOTTO_CHECK(query.edns.present);
  SOTTO_CHECK((verdict == Verdict::badvers) == (query.edns.version > 0));
  if (verdict != Verdict::accept) return;
  const auto parsed = test::naive_message(message);
  SOTTO_CHECK(parsed.has_value());
  SOTTO_CHECK(query.edns.padding == test::naive_option(*parsed, 12).has_value());
}

void check_response(const Octets& opt) {
  const Octets message = join({test::header({.flags = 0x8180, .answers = 1, .additionals = 1}),
                               test::question("www.example.com", 1), test::address(1), opt});
  const Question question(test::wire("www.example.com"), 1, 1, {});
  Answer answer;
  if (!rewrite_response(message, question, answer)) return;
  SOTTO_CHECK(answer.edns && answer.rcode >> 4U == opt[5]);
  Asker asker;
  const Octets name = test::wire("WWW.example.com");
  asker.qname = name;
  asker.qtype = 1;
  asker.qclass = 1;
  asker.edns = {.present = true, .padding = true, .keepalive = true};
  asker.octets_max = 512;
  asker.padding_block = 468;
  asker.keepalive = 7;
  std::array<std::uint8_t, 512> buffer;
  const std::size_t octets = write_response(answer, asker, buffer);
  SOTTO_CHECK(octets == 468);
  const auto sent = test::naive_message(std::span(buffer).first(octets));
  SOTTO_CHECK(sent && sent->end == octets && sent->records.size() == 2);
  SOTTO_CHECK(test::naive_option(*sent, 12) && test::naive_option(*sent, 11));
  const auto error = test::naive_option(*sent, 15);
  SOTTO_CHECK(error.has_value() == answer.extended_error.has_value());
  if (!error) return;
  SOTTO_CHECK(error->substr(2) == answer.extended_error->text);
  SOTTO_CHECK(answer.extended_error->text.size() <= ede_text_octets_max);
  for (const char letter : answer.extended_error->text) {
    SOTTO_CHECK(static_cast<unsigned char>(letter) >= 0x20 && letter != 0x7F);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || size > 60'000) return 0;
  const Octets opt = test::opt(Octets(data + 4, data + size), load32(data));
  check_query(opt);
  check_response(opt);
  return 0;
}
