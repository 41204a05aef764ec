#include "app/upstreams_options.h"

#include "app/text.h"

namespace sotto {

namespace {

constexpr UpstreamsFlag flags[] = {
    {"--json", "", &UpstreamsWords::json, nullptr, "Print JSON, for programs."},
    {"--socket", "PATH", nullptr, &UpstreamsWords::socket,
     "The control socket; without it the configuration's, see control.socket in sotto.toml(5)."},
    {"--config", "FILE", nullptr, &UpstreamsWords::config_file,
     "The configuration that says where the control socket is."},
};

}  // namespace

std::span<const UpstreamsFlag> upstreams_flags() {
  return flags;
}

tl::expected<ControlCall, std::string> parse_upstreams_words(const UpstreamsWords& words) {
  if (!words.words.empty()) {
    return tl::unexpected("unexpected \"" + escaped(words.words.front(), offending_octets_max) +
                          "\"; all upstreams are shown");
  }
  ControlCall call{.command = "upstreams", .arguments = {}};
  if (words.json) call.arguments.emplace_back("json");
  return call;
}

}  // namespace sotto
