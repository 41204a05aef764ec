// The addresses of this host. Test: tests/unit/transport/watches_test.cc,
// tests/integration/test_discovery.py.
#pragma once

#include <vector>

#include "transport/address.h"

namespace sotto {

// Of all interfaces that are up, loopback included, in the kernel's order, each once; empty if the
// kernel does not tell.
std::vector<IpAddress> host_addresses();

}  // namespace sotto
