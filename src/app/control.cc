#include "app/control.h"

#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "app/control_path.h"

namespace sotto {

namespace {

using Server = std::unique_ptr<ControlServer>;

// The last component only; that it is there already, or cannot be made, shows when it is used.
void make_directory_of(const std::string& path) {
  constexpr mode_t owner_only = S_IRWXU;
  static_cast<void>(::mkdir(path.substr(0, path.rfind('/')).c_str(), owner_only));
}

Server without(const std::string& why, Log& log) {
  log.info("control.off", "sotto cache cannot reach this sotto", {{"why", why}});
  return nullptr;
}

}  // namespace

tl::expected<Server, std::string> start_control(const Config::Control& control,
                                                const Environment& environment,
                                                ControlCommands commands, Log& log) {
  const auto path = control_path(control, environment, ::geteuid() == 0);
  if (!path) return without(path.error(), log);
  if (path->make_directory) make_directory_of(path->path);
  auto socket = ControlSocket::open(path->path);
  if (!socket && path->automatic) return without(socket.error(), log);
  if (!socket) return tl::unexpected("control.socket: " + socket.error());
  log.info("control.open", "listening for sotto cache", {{"path", path->path}});
  auto server = std::make_unique<ControlServer>(std::move(*socket), std::move(commands));
  server->start();
  return server;
}

}  // namespace sotto
