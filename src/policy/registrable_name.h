// The part of a name that somebody registered: "example.co.uk." of "www.example.co.uk.". By the
// Public Suffix List as libpsl carries it. Test: tests/unit/policy/registrable_name_test.cc.
#pragma once

#include <cstdint>
#include <span>

namespace sotto {

// qname: a valid uncompressed name of any case. Answers its end, one label longer than the longest
// public suffix in it; all of it if it is a public suffix itself, as the root is. A top-level
// domain that the list does not know counts as a public suffix. A view into qname, in its spelling.
// Allocates nothing; takes 0.2 to 1.7 µs (tests/bench/policy_bench.cc).
std::span<const std::uint8_t> registrable_name(std::span<const std::uint8_t> qname);

}  // namespace sotto
