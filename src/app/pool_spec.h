// From the configuration to what the workers' pools take. Test: tests/unit/app/pool_spec_test.cc.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/bootstrap.h"
#include "app/config.h"
#include "transport/tls_credentials.h"
#include "upstream/upstream.h"

namespace sotto {

// What upstreams trust, by UpstreamConfig::ca_file; has every one of the configuration.
using TrustOfFiles = std::map<std::string, std::shared_ptr<const TlsTrust>>;

// addresses: of upstreams given by a host's name. One that is missing there has no endpoints yet.
PoolSpec pool_spec(const Config& config, const TrustOfFiles& trust, const HostAddresses& addresses);

// Whom to ask for the addresses of hosts: the bootstrap servers, or without any the upstreams given
// by address in their groups.
PoolSpec bootstrap_spec(const Config& config, const TrustOfFiles& trust);

}  // namespace sotto
