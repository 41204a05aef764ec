#include "app/upstreams_commands.h"

#include <utility>

#include "app/upstreams_text.h"

namespace sotto {

ControlCommands upstreams_commands(std::function<std::vector<WorkerState>()> look) {
  return {{"upstreams",
           [look = std::move(look)](std::span<const std::string> arguments) -> ControlResult {
             if (arguments.empty()) return upstreams_text(look(), wall_now());
             if (arguments.size() == 1 && arguments[0] == "json") return upstreams_json(look());
             return tl::unexpected<std::string>("send upstreams [json]");
           }}};
}

}  // namespace sotto
