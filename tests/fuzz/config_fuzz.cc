// Any text as a configuration file: errors are printable and have a place; what is accepted prints
// as a file that is read back to the same.
#include <cassert>
#include <cstdint>
#include <string>

#include "app/config_reader.h"
#include "app/config_source.h"

namespace {

void check_errors(const sotto::Draft& draft) {
  for (const sotto::ConfigError& error : draft.errors) {
    const std::string text = error.text();
    assert(text.starts_with("/fuzz.toml:"));
    for (const char character : text) assert(character >= ' ' && character <= '~');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const sotto::Draft draft = sotto::read_config(sotto::ConfigText{"/fuzz.toml", text}, {});
  check_errors(draft);
  if (!draft.errors.empty()) return 0;
  const std::string printed = sotto::config_text(draft.config);
  const sotto::Draft again = sotto::read_config(sotto::ConfigText{"/fuzz.toml", printed}, {});
  assert(again.errors.empty());
  assert(sotto::config_text(again.config) == printed);
  assert(sotto::restart_needed(draft.config, again.config).empty());
  return 0;
}
