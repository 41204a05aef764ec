// Metrics and health over HTTP, where the configuration wants them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "admin/http_server_io.h"
#include "app/config.h"
#include "app/inherited_sockets.h"
#include "app/logging.h"
#include "transport/socket_io.h"

namespace sotto {

// Bound and listening: the inherited socket named admin, or its own; none when it is switched off,
// or when the default address cannot be had, which the log says. That a configured address cannot
// be had is an error: one line.
tl::expected<std::optional<UniqueFd>, std::string> open_admin(
    const std::optional<ListenAddress>& listen, std::vector<InheritedSocket>& inherited, Log& log);

// Null without a socket, or if there is no thread to be had. pages are called from the server's
// thread until it is destroyed.
std::unique_ptr<HttpServer> start_admin(std::optional<UniqueFd> socket, HttpPages pages, Log& log);

}  // namespace sotto
