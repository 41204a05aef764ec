// Small files that only sotto's user may read: session tickets, addresses of upstreams. Read as a
// whole, replaced as a whole. Test: tests/unit/app/private_file_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/file_calls.h"
#include "app/file_replacement_io.h"

namespace sotto {

struct PrivateFileFault {
  bool absent = false;
  bool ours = true;    // false: what stands there cannot be known to be, and is not replaced
  std::string reason;  // in words for a log line
};

// Refused: what is no regular file, belongs to another user, may be read or written by others, or
// has more octets than octets_max.
tl::expected<std::vector<std::uint8_t>, PrivateFileFault> read_private_file(const std::string& path,
                                                                            std::size_t octets_max);

// Mode 0600; on the disk when this returns.
FileDone write_private_file(const std::string& path, std::span<const std::uint8_t> octets,
                            FileCalls& calls);

}  // namespace sotto
