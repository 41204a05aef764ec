// Names that are answered here and never sent upstream: special-use names (RFC 6761), locally
// served zones (RFC 6303), and the names of our own that clients are told (RFC 9462).
// Test: tests/unit/policy/special_names_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "dns/constants.h"
#include "dns/name.h"
#include "dns/response.h"
#include "policy/designated_resolver.h"

namespace sotto {

// An answer for one query. Its records point into the question, so it fits that query only.
class SpecialAnswer {
 public:
  // Views into this object, or into the names that gave it.
  LocalAnswer local() const;

 private:
  friend class SpecialNames;

  const LocalAnswer* kept_ = nullptr;     // instead of what follows: the names' own
  std::array<std::uint8_t, 96> records_;  // left uninitialised: most have few
  std::uint8_t answer_octets_ = 0;        // the first of records_; authority follows
  std::uint8_t authority_octets_ = 0;
  std::uint8_t answer_count_ = 0;
  std::uint8_t authority_count_ = 0;
  std::uint16_t rcode_ = rcode::noerror;
};

class SpecialNames {
 public:
  struct Options {
    bool special_use = true;  // false: none but those of designated
    bool test = true;         // "test." is answered here; false: it is forwarded (RFC 6761 §6.2)
    std::shared_ptr<const DesignatedResolver> designated = nullptr;  // null: none is announced
  };

  SpecialNames() = default;
  explicit SpecialNames(Options options) : options_(std::move(options)) {}

  // False for most names that answer() has nothing to say to: their last letter tells.
  bool may_answer(std::span<const std::uint8_t> qname) const {
    if (options_.designated != nullptr) return true;
    return options_.special_use && qname.size() > 1 && ends_as_special(qname[qname.size() - 2]);
  }
  // Is the query to be answered here? Then answer holds what to say. Constant time for ordinary
  // names, no allocation. qname: valid, uncompressed, any case. Only class IN has special names.
  bool answer(std::span<const std::uint8_t> qname, std::uint16_t qtype, std::uint16_t qclass,
              SpecialAnswer& answer) const;

 private:
  // arpa, invalid, onion, localhost, test
  static bool ends_as_special(std::uint8_t letter) {
    const std::uint8_t folded = fold_case(letter);
    return folded == 'a' || folded == 'd' || folded == 'n' || folded == 't';
  }

  Options options_;
};

}  // namespace sotto
