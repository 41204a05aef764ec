#include "app/cache_options.h"

#include <algorithm>

#include "app/config_error.h"
#include "app/text.h"
#include "dns/name.h"

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;

constexpr CacheFlag flags[] = {
    {"--below", "", &CacheWords::below, nullptr,
     "With flush NAME: the names below it are forgotten too."},
    {"--socket", "PATH", nullptr, &CacheWords::socket,
     "The control socket; without it the configuration's, see control.socket in sotto.toml(5)."},
    {"--config", "FILE", nullptr, &CacheWords::config_file,
     "The configuration that says where the control socket is."},
};

// As it is sent: checked, and with every space escaped.
tl::expected<std::string, std::string> name_argument(const std::string& text) {
  if (text.empty()) return Failure("the name is empty; the root is written as a dot");
  const auto is_ascii = [](char character) { return static_cast<unsigned char>(character) < 0x80; };
  if (!std::all_of(text.begin(), text.end(), is_ascii)) {
    return Failure(
        complaint("not a name", text, "names outside ASCII are written in their xn-- form"));
  }
  const auto name = name_from_text(text);
  if (!name) return Failure(complaint("not a name", text, "write it as in a zone file"));
  return name_to_text(name->octets());
}

}  // namespace

std::span<const CacheFlag> cache_flags() {
  return flags;
}

tl::expected<ControlCall, std::string> parse_cache_words(const CacheWords& words) {
  const std::vector<std::string_view> commands{"flush", "show", "stats"};
  if (words.words.empty()) return Failure("say what to do: one of " + joined(commands));
  const std::string& command = words.words.front();
  const std::vector<std::string> names(std::next(words.words.begin()), words.words.end());
  if (std::find(commands.begin(), commands.end(), command) == commands.end()) {
    return Failure(complaint("unknown command", command, "write one of " + joined(commands)));
  }
  if (names.size() > 1) return Failure(complaint("one name at a time", names[1]));
  if (command == "stats" && !names.empty()) {
    return Failure(complaint("stats takes no name", names[0], "show does"));
  }
  if (command == "show" && names.empty()) return Failure("say what to show: a name");
  if (words.below && command != "flush") return Failure("--below is for flush");
  if (words.below && names.empty()) {
    return Failure("--below needs a name; without both, everything is forgotten");
  }
  ControlCall call{.command = "cache." + command, .arguments = {}};
  if (names.empty()) return call;
  const auto name = name_argument(names[0]);
  if (!name) return Failure(name.error());
  call.arguments.push_back(*name);
  if (words.below) call.arguments.emplace_back("below");
  return call;
}

}  // namespace sotto
