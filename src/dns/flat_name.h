// A name followed through its compression pointers and laid out flat, with the places of its
// labels: what the rewriting of answers works on. Test: tests/unit/dns/name_test.cc (through
// read_name()).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "dns/constants.h"

namespace sotto {

// RFC 1035 §2.3.4: 254 octets before the root, at least two for each label.
inline constexpr std::size_t name_labels_max = 127;
// A pointer leads to at least one label in what sane servers write; more are an attack on our time.
inline constexpr std::size_t name_pointers_max = name_labels_max;

// Left uninitialised: expand_name() fills as much as the name needs.
struct FlatName {
  std::uint8_t length;  // the root's octet included
  std::uint8_t labels;  // the root not counted
  std::array<std::uint8_t, name_octets_max> octets;
  std::array<std::uint8_t, name_labels_max> label_starts;

  std::span<const std::uint8_t> view() const { return {octets.data(), length}; }
};

// Follows the name at position through message; returns the position behind it. After an error the
// content of name is unspecified.
Result<std::size_t> expand_name(std::span<const std::uint8_t> message, std::size_t position,
                                FlatName& name);

// The position behind the possibly compressed name at position. Pointers are checked to aim
// backwards but not followed, so that skipping costs no more than the octets skipped.
Result<std::size_t> skip_name(std::span<const std::uint8_t> message, std::size_t position);

}  // namespace sotto
