#include "app/config_source.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>
#include <sys/stat.h>

#include "app/text.h"

namespace sotto {

namespace {

constexpr std::string_view default_file = SOTTO_SYSCONFDIR "/sotto/sotto.toml";

// Thousands of upstreams fit; a device or a wrong file is not read to its end.
constexpr std::size_t file_octets_max = std::size_t{1} << 20U;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// The whole file, or why not.
tl::expected<std::string, std::string> read_whole(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) {
    return tl::unexpected<std::string>("it is a directory");
  }
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rbe"));
  if (!file) return tl::unexpected<std::string>(std::strerror(errno));
  std::string text;
  std::array<char, 4'096> block{};
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), file.get())) {
    text.append(block.data(), count);
    if (text.size() > file_octets_max)
      return tl::unexpected<std::string>("it is larger than 1 MiB");
  }
  if (std::ferror(file.get()) != 0) return tl::unexpected<std::string>("it cannot be read");
  return text;
}

const char* set_variable(const Environment& environment, std::string_view name) {
  const char* value = environment(std::string(name).c_str());
  return value == nullptr || *value == '\0' ? nullptr : value;
}

Override from_environment(const Option& option, const char* value) {
  Override given{std::string(option.flag), std::string(option.environment), {}};
  if (option.takes_list()) {
    given.texts = split_list(value);
  } else {
    given.texts.emplace_back(value);
  }
  return given;
}

// Why the trust of this file cannot be used; nothing if it can.
std::string trust_fault(const std::string& ca_file) {
  if (ca_file.empty()) {
    return "the system's certificates cannot be read; install the package ca-certificates or set "
           "ca_file";
  }
  const auto text = read_whole(ca_file);
  if (!text) return complaint("cannot read the CA file", ca_file, text.error());
  return complaint("no certificate can be read from the CA file", ca_file,
                   "it must hold certificates in PEM form");
}

void load_trust(LoadedConfig& loaded, const std::map<std::string, Place>& places,
                std::vector<ConfigError>& errors) {
  std::set<std::string> files;
  for (const auto* servers : {&loaded.config.upstreams, &loaded.config.bootstrap}) {
    for (const UpstreamConfig& server : *servers) files.insert(server.ca_file);
  }
  for (const std::string& file : files) {
    if (auto trust = TlsTrust::load(file)) {
      loaded.trust.emplace(file, std::move(*trust));
      continue;
    }
    const auto named = places.find(file);
    const Place place = named == places.end() ? Place{"upstream_default.ca_file"} : named->second;
    errors.push_back({place, trust_fault(file)});
  }
}

void load_listeners_files(LoadedConfig& loaded, const std::map<std::string, Place>& places,
                          const std::shared_ptr<const TlsTicketKey>& own_ticket_key,
                          std::vector<ConfigError>& errors) {
  auto server_tls = load_server_tls(server_tls_files(loaded.config), own_ticket_key);
  if (server_tls) {
    loaded.server_tls = std::move(*server_tls);
    return;
  }
  for (const ServerFileFault& fault : server_tls.error()) {
    const auto named = places.find(fault.file);
    const Place place = named == places.end() ? Place{"server_tls"} : named->second;
    errors.push_back({place, complaint(fault.what, fault.file, fault.advice)});
  }
}

}  // namespace

ConfigSource::ConfigSource(const std::optional<std::string>& config_file,
                           const CommandLineSettings& settings, const Environment& environment)
    : file_(default_file) {
  if (const char* value = set_variable(environment, "SOTTO_CONFIG")) {
    file_ = value;
    file_source_ = "SOTTO_CONFIG";
  }
  if (config_file) {
    file_ = *config_file;
    file_source_ = "--config";
  }
  std::set<std::string_view> seen;  // listen.udp and listen.tcp share theirs
  for (const Option& option : options()) {
    if (option.environment.empty() || !seen.insert(option.environment).second) continue;
    if (const char* value = set_variable(environment, option.environment)) {
      overrides_.push_back(from_environment(option, value));
    }
  }
  for (const auto& [flag, texts] : settings) {
    if (!texts.empty()) overrides_.push_back({flag, flag, texts});
  }
}

std::optional<ConfigText> ConfigSource::read_file(std::vector<ConfigError>& errors) const {
  struct stat about {};
  if (file_source_.empty() && ::stat(file_.c_str(), &about) != 0 && errno == ENOENT) {
    return std::nullopt;
  }
  auto text = read_whole(file_);
  if (!text) {
    const Place place{file_source_.empty() ? file_ : file_source_};
    errors.push_back({place, complaint("cannot read the configuration file", file_, text.error())});
    return std::nullopt;
  }
  return ConfigText{file_, std::move(*text)};
}

tl::expected<LoadedConfig, std::vector<ConfigError>> ConfigSource::load() const {
  std::vector<ConfigError> errors;
  const std::optional<ConfigText> file = read_file(errors);
  Draft draft = read_config(file, overrides_, inherited_);
  errors.insert(errors.end(), draft.errors.begin(), draft.errors.end());
  LoadedConfig loaded{std::move(draft.config), file ? file->path : std::string{}, {}, {}};
  load_trust(loaded, draft.ca_files, errors);
  load_listeners_files(loaded, draft.server_files, own_ticket_key_, errors);
  if (!errors.empty()) {
    tidy_errors(errors);
    return tl::unexpected<std::vector<ConfigError>>(std::move(errors));
  }
  return loaded;
}

std::vector<std::string> restart_needed(const Config& running, const Config& wanted) {
  std::vector<std::string> keys;
  const Entry none;
  for (const Option& option : options()) {
    if (option.applies != Option::Applies::on_restart || option.of_list()) continue;
    if (option.print(running, none) != option.print(wanted, none)) keys.emplace_back(option.key);
  }
  return keys;
}

std::string cache_file_warning(const Config& config) {
  if (config.cache.file.empty() || config.cache.size_octets != 0) return {};
  return "cache.file has no effect with cache.size = 0";
}

}  // namespace sotto
