// A TOML file's settings, checked against the option table: types, ranges, unknown keys.
// Test: tests/unit/app/config_reader_test.cc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config_reader.h"
#include "app/options.h"

namespace sotto {

class TomlFile {
 public:
  // Parses; a syntax error lands in errors and leaves a file without settings.
  TomlFile(const ConfigText& file, std::vector<ConfigError>& errors);
  ~TomlFile();
  TomlFile(const TomlFile&) = delete;
  TomlFile& operator=(const TomlFile&) = delete;

  // Everything but [[upstream]] and [[group]].
  void apply_settings(Draft& draft) const;

  // One for each [[upstream]], on top of draft.upstream_default, with its places.
  std::vector<Entry> read_upstreams(Draft& draft) const;
  // One for each [[group]].
  std::vector<Entry> read_groups(Draft& draft) const;

 private:
  struct Table;
  std::unique_ptr<Table> table_;
  std::string path_;
};

}  // namespace sotto
