// What this process takes of the machine. Test: tests/integration/test_admin.py.
#pragma once

#include <cstdint>

namespace sotto {

struct ProcessUsage {
  double cpu_seconds = 0;  // of all threads, in the kernel too
  std::uint64_t resident_octets = 0;
  std::uint64_t virtual_octets = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t descriptors_max = 0;
  std::uint64_t threads = 0;
};

// What the system does not tell is 0.
ProcessUsage process_usage();

}  // namespace sotto
