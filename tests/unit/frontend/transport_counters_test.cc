#include "frontend/transport_counters.h"

#include <gtest/gtest.h>

#include "dns/response.h"
#include "make_message.h"

namespace sotto {
namespace {

using test::join;
using test::Octets;
using test::octets;

// A response made here to a query with EDNS, with or without a question.
Octets local_response(std::uint16_t code, bool has_question = true) {
  Asker asker;
  const Name name = name_from_text("www.example").value();
  if (has_question) asker.qname = name.octets();
  asker.qtype = rtype::a;
  asker.qclass = rclass::in;
  asker.edns.present = true;
  asker.octets_max = edns_udp_octets_max;
  Octets buffer(asker.octets_max);
  buffer.resize(write_local_response({.rcode = code}, asker, buffer));
  return buffer;
}

Octets response(test::Header counts, std::uint16_t code, const Octets& records) {
  counts.flags = static_cast<std::uint16_t>(0x8180U | code);
  return join({test::header(counts), test::question("www.example", rtype::a), records});
}

TEST(TransportCounters, ResponsesAreCountedByRcode) {
  const Octets address = test::record(test::to_qname, rtype::a, 1, octets({192, 0, 2, 1}));
  // Would be BADVERS if it were taken for OPT.
  const Octets no_opt = test::record(octets({0}), rtype::a, 0x0100'0000, octets({192, 0, 2, 1}));
  struct {
    const char* what;
    Octets response;
    std::size_t code;
  } const cases[] = {
      {"an address", response({.answers = 1}, rcode::noerror, address), rcode::noerror},
      {"no records at all", response({}, rcode::noerror, {}), rcode::noerror},
      {"a name that does not exist", response({}, rcode::nxdomain, {}), rcode::nxdomain},
      {"no records but OPT", local_response(rcode::noerror), rcode::noerror},
      {"a failure of ours", local_response(rcode::servfail), rcode::servfail},
      {"an EDNS version beyond", local_response(rcode::badvers), rcode::badvers},
      {"… without a question", local_response(rcode::badvers, false), rcode::badvers},
      {"one record that is not OPT", response({.additionals = 1}, rcode::noerror, no_opt),
       rcode::noerror},
      {"the highest a header holds", response({}, 15, {}), 15},
  };
  for (const auto& c : cases) {
    TransportCounters counters;
    counters.count_response(c.response);
    for (std::size_t code = 0; code < TransportCounters::rcodes; ++code) {
      EXPECT_EQ(counters.responses[code].value(), code == c.code ? 1U : 0U) << c.what << code;
    }
  }
}

}  // namespace
}  // namespace sotto
