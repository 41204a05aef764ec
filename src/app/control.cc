#include "app/control.h"

#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "app/control_path.h"

namespace sotto {

namespace {

// The last component only; that it is there already, or cannot be made, shows when it is used.
void make_directory_of(const std::string& path) {
  constexpr mode_t owner_only = S_IRWXU;
  static_cast<void>(::mkdir(path.substr(0, path.rfind('/')).c_str(), owner_only));
}

}  // namespace

tl::expected<std::optional<ControlSocket>, std::string> open_control(const Config::Control& control,
                                                                     const Environment& environment,
                                                                     Log& log) {
  const auto without = [&](LogLevel level, const std::string& why) {
    log.write(level, "control.off", "sotto cache and sotto upstreams cannot reach this sotto",
              {{"why", why}});
    return std::nullopt;
  };
  const auto path = control_path(control, environment, ::geteuid() == 0);
  if (!path) {
    const bool on_purpose = control.socket.empty();
    return without(on_purpose ? LogLevel::info : LogLevel::warning, path.error());
  }
  if (path->make_directory) make_directory_of(path->path);
  auto socket = ControlSocket::open(path->path);
  if (!socket && path->automatic) return without(LogLevel::warning, socket.error());
  if (!socket) return tl::unexpected("control.socket: " + socket.error());
  return std::move(*socket);
}

std::unique_ptr<ControlServer> start_control(std::optional<ControlSocket> socket,
                                             ControlCommands commands, Log& log) {
  if (!socket) return nullptr;
  log.info("control.open", "listening for sotto cache and sotto upstreams",
           {{"path", socket->path()}});
  auto server = std::make_unique<ControlServer>(std::move(*socket), std::move(commands));
  server->start();
  return server;
}

}  // namespace sotto
