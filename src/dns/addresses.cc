#include "dns/addresses.h"

#include <algorithm>
#include <cassert>

#include "dns/flat_name.h"
#include "dns/name.h"
#include "dns/record_walk.h"
#include "dns/wire.h"

namespace sotto {
namespace {

constexpr std::size_t a_octets = 4;
constexpr std::size_t aaaa_octets = 16;

class ChainReader {
 public:
  ChainReader(std::span<const std::uint8_t> message, const Question& question)
      : message_(message),
        type_(question.type()),
        qclass_(question.qclass()),
        octets_(type_ == rtype::a ? a_octets : aaaa_octets) {
    assert(type_ == rtype::a || type_ == rtype::aaaa);
    const auto name = question.name();
    std::copy(name.begin(), name.end(), owner_.octets.begin());
    owner_.length = static_cast<std::uint8_t>(name.size());
  }

  AddressRecords read() {
    AddressRecords found;
    std::uint32_t ttl = std::uint32_t{1} << 31U;
    for (std::size_t links = 0; links <= alias_chain_max; ++links) {
      bool alias = false;
      for_each_of_owner([&](std::uint16_t type, const RecordPlace& place) {
        const bool address = type == type_ && place.end - place.rdata == octets_;
        if (!address && (type != rtype::cname || alias)) return;
        ttl = std::min(ttl, load32(message_.data() + place.ttl()));
        if (address) {
          found.addresses.push_back(message_.subspan(place.rdata, octets_));
        } else {
          alias = expand_name(message_, place.rdata, target_).has_value();
        }
      });
      if (!found.addresses.empty() || !alias) break;
      owner_ = target_;
    }
    found.ttl = ttl;
    return found;
  }

 private:
  // callback(type, place) for the records of the answer section that are owner_'s.
  template <class Callback>
  void for_each_of_owner(Callback callback) {
    RecordWalk walk(message_, header_octets + question_octets());
    for (std::uint16_t left = load16(message_.data() + 6); left > 0; --left) {
      const RecordPlace place = walk.next();
      FlatName name;
      if (load16(message_.data() + place.type + 2) != qclass_) continue;
      if (!expand_name(message_, place.owner, name)) continue;
      if (equal_names(name.view(), owner_.view())) {
        callback(load16(message_.data() + place.type), place);
      }
    }
  }
  std::size_t question_octets() const {
    return plain_name_octets(message_.subspan(header_octets)) + question_tail_octets;
  }

  std::span<const std::uint8_t> message_;
  const std::uint16_t type_;
  const std::uint16_t qclass_;
  const std::size_t octets_;
  FlatName owner_;
  FlatName target_;
};

}  // namespace

AddressRecords find_addresses(const Answer& answer, const Question& question) {
  AddressRecords found = ChainReader(answer.message, question).read();
  if (found.addresses.empty()) found.ttl = 0;
  return found;
}

}  // namespace sotto
