// From the text of a TOML file and from overrides to a checked configuration. Reads no file.
// Test: tests/unit/app/config_reader_test.cc, tests/fuzz/config_fuzz.cc.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/listen_reader.h"
#include "app/options.h"

namespace sotto {

// What the environment or the command line says about every option with this flag.
struct Override {
  std::string flag;    // "--listen", as in the option table
  std::string source;  // "SOTTO_LISTEN" or "--listen", for messages
  std::vector<std::string> texts;
};

struct ConfigText {
  std::string path;  // for messages, and where relative paths in it start
  std::string text;
};

// Every error there is ends up in the draft, sorted; the configuration counts only without any.
// overrides: in rising precedence. inherited: sockets that there are already; they replace what is
// configured for their transports.
Draft read_config(const std::optional<ConfigText>& file, std::span<const Override> overrides,
                  const std::vector<InheritedAddress>& inherited = {});

}  // namespace sotto
