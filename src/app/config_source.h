// Where the configuration comes from: command line, environment, file, defaults, in this order of
// precedence. Captured once; loaded at the start and at every reload.
// Test: tests/unit/app/config_source_test.cc.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "app/config.h"
#include "app/config_error.h"
#include "app/config_reader.h"
#include "app/server_tls.h"

namespace sotto {

// What the command line says, by flag: {"--listen", {"0.0.0.0:53"}}.
using CommandLineSettings = std::map<std::string, std::vector<std::string>>;

// The value of an environment variable, or null: getenv() in production.
using Environment = std::function<const char*(const char* name)>;

struct LoadedConfig {
  Config config;
  std::string file;  // that was read; empty: none
  // What the upstreams and the bootstrap servers trust, by UpstreamConfig::ca_file; loaded once per
  // distinct file.
  std::map<std::string, std::shared_ptr<const TlsTrust>> trust;
  ServerTls server_tls;  // of the encrypted listeners
};

class ConfigSource {
 public:
  // An environment variable that is empty counts as unset. config_file: --config.
  ConfigSource(const std::optional<std::string>& config_file, const CommandLineSettings& settings,
               const Environment& environment);

  // Sockets of a service manager, which every load from now on puts before what is configured.
  void use_inherited(std::vector<InheritedAddress> sockets) { inherited_ = std::move(sockets); }

  // Reads and checks everything anew; nothing is kept of an earlier load.
  tl::expected<LoadedConfig, std::vector<ConfigError>> load() const;

  // The file that load() reads; it need not exist if nobody named it.
  const std::string& file() const { return file_; }

 private:
  std::optional<ConfigText> read_file(std::vector<ConfigError>& errors) const;

  std::string file_;
  std::string
      file_source_;  // "--config" or "SOTTO_CONFIG"; empty: the default, which may be missing
  std::vector<Override> overrides_;  // in rising precedence
  std::shared_ptr<const TlsTicketKey> own_ticket_key_ = TlsTicketKey::random();
  std::vector<InheritedAddress> inherited_;
};

// Keys whose change a reload cannot apply.
std::vector<std::string> restart_needed(const Config& running, const Config& wanted);

// What to say of a cache.file that nothing would ever be written to; empty: nothing.
std::string cache_file_warning(const Config& config);

// The configuration as a TOML file that is read back to the same.
std::string config_text(const Config& config);

}  // namespace sotto
