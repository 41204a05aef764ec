#include "app/control_path.h"

#include <string_view>

namespace sotto {

namespace {

constexpr std::string_view file_name = "/control.socket";

// The first directory of a list such as systemd's: "/run/sotto:/run/other".
std::string directory_in(const Environment& environment, const char* variable) {
  const char* value = environment(variable);
  const std::string_view text = value == nullptr ? "" : value;
  const std::string_view first = text.substr(0, text.find(':'));
  return first.starts_with('/') ? std::string(first) : std::string();
}

}  // namespace

tl::expected<ControlPath, std::string> control_path(const Config::Control& control,
                                                    const Environment& environment, bool root) {
  if (control.socket.empty()) {
    return tl::unexpected<std::string>("control.socket is switched off");
  }
  const auto at = [](const std::string& directory, bool make_directory) {
    return ControlPath{directory + std::string(file_name), true, make_directory};
  };
  if (control.socket != control_socket_auto) return ControlPath{control.socket, false, false};
  const std::string runtime = directory_in(environment, "RUNTIME_DIRECTORY");
  if (!runtime.empty()) return at(runtime, false);
  if (root) return at("/run/sotto", true);
  const std::string user = directory_in(environment, "XDG_RUNTIME_DIR");
  if (!user.empty()) return at(user + "/sotto", true);
  return tl::unexpected<std::string>(
      "neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set; name a path as control.socket");
}

}  // namespace sotto
