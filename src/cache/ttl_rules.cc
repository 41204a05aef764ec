#include "cache/ttl_rules.h"

#include <algorithm>
#include <cassert>

#include "dns/constants.h"
#include "dns/record_walk.h"
#include "dns/wire.h"

namespace sotto {
namespace {

// Goes over the records once, in their order: what the answer section holds decides what a SOA
// behind it means.
class Pass {
 public:
  Pass(Answer& answer, const Question& question, const TtlRules& rules)
      : answer_(answer),
        question_(question),
        ttl_min_(rules.ttl_min),
        ttl_max_(question.flags().dnssec_ok && !answer.edns
                     ? std::min(rules.ttl_max, without_opt_ttl_max)
                     : rules.ttl_max),
        negative_ttl_max_(std::min(rules.negative_ttl_max, ttl_max_)),
        walk_(answer.message, header_octets + question.name().size() + question_tail_octets) {}

  bool run();

 private:
  bool bound_answers();
  bool bound_negative_authorities();
  void bound_rest();
  void bound(const RecordPlace& place, std::uint32_t ttl_given, std::uint32_t ttl_max);

  bool is_about_qname(const RecordPlace& place) const;
  bool is_asked_for(const RecordPlace& place) const;
  bool is_signature_of_soa(const RecordPlace& place) const;
  std::uint16_t type_of(const RecordPlace& place) const { return load16(octets() + place.type); }
  std::uint32_t ttl_of(const RecordPlace& place) const { return load32(octets() + place.ttl()); }
  std::uint32_t minimum_of_soa(const RecordPlace& place) const;
  std::uint16_t count(std::size_t section) const { return load16(octets() + 6 + 2 * section); }
  std::uint8_t* octets() const { return answer_.message.data(); }

  Answer& answer_;
  const Question& question_;
  const std::uint32_t ttl_min_;
  const std::uint32_t ttl_max_;
  const std::uint32_t negative_ttl_max_;
  RecordWalk walk_;
  std::uint32_t lowest_ = UINT32_MAX;
  bool foreign_ = false;  // the answer section begins with another name's record
};

bool Pass::run() {
  const bool nxdomain = answer_.rcode == rcode::nxdomain;
  const bool about_data = nxdomain || answer_.rcode == rcode::noerror;
  const bool data = bound_answers() && !nxdomain;
  const bool negative = about_data && !data && bound_negative_authorities();
  bound_rest();
  answer_.ttl_min = answer_.rrset_ends.empty() ? 0 : lowest_;
  const bool an_answer = ((about_data && data) || negative) && !foreign_;
  return an_answer && !answer_.truncated() && answer_.ttl_min > 0;
}

// Returns whether what was asked for is there; an alias without it is not.
bool Pass::bound_answers() {
  bool found = false;
  for (std::uint16_t left = count(0); left > 0; --left) {
    const RecordPlace place = walk_.next();
    if (left == count(0)) foreign_ = !is_about_qname(place);
    found = found || is_asked_for(place);
    bound(place, ttl_of(place), ttl_max_);
  }
  return found;
}

// Returns whether a SOA says for how long there is nothing.
bool Pass::bound_negative_authorities() {
  bool found = false;
  std::uint32_t minimum = UINT32_MAX;
  for (std::uint16_t left = count(1); left > 0; --left) {
    const RecordPlace place = walk_.next();
    const bool soa = type_of(place) == rtype::soa;
    if (soa) minimum = std::min(minimum, minimum_of_soa(place));
    found = found || soa;
    if (soa || is_signature_of_soa(place)) {
      bound(place, std::min(ttl_of(place), minimum), negative_ttl_max_);
    } else {
      bound(place, ttl_of(place), ttl_max_);
    }
  }
  return found;
}

void Pass::bound_rest() {
  while (!walk_.at_end()) {
    const RecordPlace place = walk_.next();
    bound(place, ttl_of(place), ttl_max_);
  }
}

// A maximum below the minimum wins: what is forgotten too soon costs a query, what is kept too long
// is wrong.
void Pass::bound(const RecordPlace& place, std::uint32_t ttl_given, std::uint32_t ttl_max) {
  const std::uint32_t ttl = std::min(std::max(ttl_given, ttl_min_), ttl_max);
  store32(octets() + place.ttl(), ttl);
  lowest_ = std::min(lowest_, ttl);
}

// An answer begins with the name that was asked, or with the DNAME above it (RFC 6672 §3.1).
bool Pass::is_about_qname(const RecordPlace& place) const {
  constexpr std::uint16_t pointer_to_qname = 0xC000 | header_octets;
  const bool root = question_.name().size() == 1;
  const bool owner_is_qname =
      root ? octets()[place.owner] == 0 : load16(octets() + place.owner) == pointer_to_qname;
  return owner_is_qname || type_of(place) == rtype::dname;
}

bool Pass::is_asked_for(const RecordPlace& place) const {
  return question_.type() == type_of(place) || question_.type() == rtype::any;
}

// Its TTL equals that of what it signs (RFC 4034 §3), which stands before it.
bool Pass::is_signature_of_soa(const RecordPlace& place) const {
  return type_of(place) == rtype::rrsig && place.end - place.rdata >= 2 &&
         load16(octets() + place.rdata) == rtype::soa;
}

// The last of the five numbers behind the two names (RFC 1035 §3.3.13).
std::uint32_t Pass::minimum_of_soa(const RecordPlace& place) const {
  constexpr std::size_t number_octets = 4;
  assert(place.end - place.rdata > 5 * number_octets);
  return load32(octets() + place.end - number_octets);
}

}  // namespace

bool apply_ttl_rules(Answer& answer, const Question& question, const TtlRules& rules) {
  return Pass(answer, question, rules).run();
}

}  // namespace sotto
