// What clients are told of our encrypted listeners (RFC 9462): made of the configuration, the
// certificate and the host's addresses. Decides; discovery.h keeps it up to date.
// Test: tests/unit/app/designation_test.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "policy/designated_resolver.h"
#include "transport/address.h"
#include "transport/tls_server_credentials.h"

namespace sotto {

// text as the name of a resolver, in lower case; nothing if clients could not ask for it or no
// certificate could prove it: not a host name, a wildcard, an address, localhost, or too long.
std::optional<Name> resolver_name(std::string_view text);

// The name to announce: the configured one, or for "auto" the first of the first certificate that
// is one.
std::optional<Name> designated_name(const Config::Discovery& discovery,
                                    const std::vector<ServerCertificate>& certificates);

// The certificate that is shown to clients who ask for the name, if it proves that: the first that
// has it, or else a wildcard for it. Null: none does.
const ServerCertificate* certificate_of(const Name& name,
                                        const std::vector<ServerCertificate>& certificates);

// The listeners that clients without a certificate can use, one endpoint for each transport; DoT
// first, as it costs both ends less. Without a name. The first listener of a transport gives its
// port and path, and the others with the same ones their addresses. host: this host's addresses,
// for wildcards. Link-local addresses are left out, and loopback ones unless there are no others.
Designation designated_endpoints(const Config::Discovery& discovery, const Config::Listen& listen,
                                 const std::vector<IpAddress>& host);

// What clients are told of them: the first designated_addresses_max of each family.
std::vector<IpAddress> announced(const Designation::Addresses& addresses);

}  // namespace sotto
