// What those who operate sotto see and use.
#include <algorithm>
#include <array>

#include "app/option_rows.h"
#include "app/option_setters.h"
#include "app/text.h"

namespace sotto {

namespace {

using Kind = Option::Kind;
using Applies = Option::Applies;

constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> formats{"text", "json"};

constexpr std::array<Option, 3> rows{{
    {.key = "log.level",
     .kind = Kind::choice,
     .standard = "\"info\"",
     .choices = levels,
     .flag = "--log-level",
     .environment = "SOTTO_LOG_LEVEL",
     .set = [](Draft& draft, Entry&,
               const Value& value) { draft.config.log.level = log_level_of(value.text); },
     .print = [](const Config& config,
                 const Entry&) { return toml_string(to_text(config.log.level)); },
     .help = "The least important messages that are logged."},
    {.key = "log.format",
     .kind = Kind::choice,
     .standard = "\"text\"",
     .applies = Applies::on_restart,
     .choices = formats,
     .set =
         [](Draft& draft, Entry&, const Value& value) {
           draft.config.log.format = value.text == "json" ? LogFormat::json : LogFormat::text;
         },
     .print = [](const Config& config,
                 const Entry&) { return toml_string(to_text(config.log.format)); },
     .help = "Lines of text, or one JSON object a line. The log goes to standard error."},
    {.key = "control.socket",
     .kind = Kind::file_or_auto,
     .standard = "\"auto\"",
     .applies = Applies::on_restart,
     .set = set_control_socket,
     .print = [](const Config& config, const Entry&) { return toml_string(config.control.socket); },
     .help = "Unix socket on which sotto cache and sotto upstreams reach the running sotto; only "
             "its own "
             "user and root can. \"auto\" is control.socket in $RUNTIME_DIRECTORY (which systemd "
             "sets), or for "
             "root /run/sotto/control.socket, or for others $XDG_RUNTIME_DIR/sotto/control.socket; "
             "sotto runs without if that cannot be used. A path that is named here and cannot be "
             "used is an error at the start. \"\" switches it off."},
}};

}  // namespace

std::span<const Option> operation_rows() {
  return rows;
}

}  // namespace sotto
