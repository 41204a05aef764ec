// Addresses of upstreams given by name as a file, for starting without a network and without
// waiting. Text, a line for each host. No I/O here. Test: tests/unit/app/address_file_test.cc.
//
//   sotto addresses 1
//   dns.example 192.0.2.1 2001:db8::1
//   end 1
#pragma once

#include <string>
#include <string_view>

#include "app/bootstrap.h"
#include "base/error.h"

namespace sotto {

inline constexpr std::string_view address_file_name = "addresses";  // in state_directory
inline constexpr std::size_t address_file_octets_max = std::size_t{1} << 20U;

std::string encode_addresses(const HostAddresses& hosts);

// Error::foreign_file, other_version, damaged_file.
Result<HostAddresses> decode_addresses(std::string_view text);

}  // namespace sotto
