#include "app/admin_listener.h"

#include <cerrno>
#include <utility>

namespace sotto {

tl::expected<std::optional<UniqueFd>, std::string> open_admin(
    const std::optional<ListenAddress>& listen, std::vector<InheritedSocket>& inherited, Log& log) {
  for (InheritedSocket& socket : inherited) {
    if (socket.transport != admin_listener) continue;
    log.info("admin.open", "listening for HTTP on a socket of the service manager",
             {{"address", socket.address.text()}});
    return std::move(socket.fd);
  }
  if (!listen) {
    log.info("admin.off", "no metrics and no health over HTTP", {{"why", "switched off"}});
    return std::nullopt;
  }
  auto fd = open_listener(SocketKind::stream, listen->address, true);
  if (!fd && listen->is_default) {
    log.warning("admin.off", "no metrics and no health over HTTP", {{"why", fd.error().what}});
    return std::nullopt;
  }
  if (!fd) {
    return tl::unexpected("listen.admin: " + fd.error().what +
                          "; name another address, or \"\" for none");
  }
  log.info("admin.open", "listening for HTTP", {{"address", listen->address.text()}});
  return std::move(*fd);
}

std::unique_ptr<HttpServer> start_admin(std::optional<UniqueFd> socket, HttpPages pages, Log& log) {
  if (!socket) return nullptr;
  auto server = std::make_unique<HttpServer>(std::move(*socket), std::move(pages));
  if (server->start()) return server;
  log.error("admin.off", "no metrics and no health over HTTP", {{"why", "no thread to be had"}});
  return nullptr;
}

}  // namespace sotto
