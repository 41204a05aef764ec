#include "app/address_file_io.h"

#include "app/private_file_io.h"

namespace sotto {
namespace {

std::string in_directory(const std::string& directory, std::string_view name) {
  if (directory.empty()) return {};
  return directory + '/' + std::string(name);
}

}  // namespace

AddressKeeper::AddressKeeper(Log& log, FileCalls& calls, const std::string& state_directory)
    : log_(log), calls_(calls), path_(in_directory(state_directory, address_file_name)) {}

HostAddresses AddressKeeper::load() {
  if (path_.empty()) return {};
  const auto ignore = [this](std::string_view reason) {
    log_.warning("bootstrap.ignored", "the addresses kept from before cannot be used",
                 {{"file", path_}, {"reason", reason}});
    return HostAddresses{};
  };
  const auto octets = read_private_file(path_, address_file_octets_max);
  if (!octets && octets.error().absent) return {};
  if (!octets) {
    may_replace_ = octets.error().ours;
    return ignore(octets.error().reason);
  }
  const std::string text(octets->begin(), octets->end());
  const auto hosts = decode_addresses(text);
  if (!hosts) {
    may_replace_ = hosts.error() != Error::foreign_file;
    return ignore(describe(hosts.error()));
  }
  saved_ = *hosts;
  log_.info("bootstrap.loaded", "addresses from before are used until fresher ones come",
            {{"file", path_}, {"hosts", saved_.size()}});
  return saved_;
}

void AddressKeeper::save(const HostAddresses& hosts) {
  if (path_.empty() || !may_replace_ || hosts == saved_) return;
  const std::string text = encode_addresses(hosts);
  const FileDone done = write_private_file(
      path_, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, calls_);
  if (done) {
    saved_ = hosts;
    unsaved_reason_.clear();
    return;
  }
  const LogLevel level = done.error() == unsaved_reason_ ? LogLevel::debug : LogLevel::warning;
  log_.write(level, "bootstrap.unsaved", "cannot save the addresses of upstreams",
             {{"file", path_}, {"reason", done.error()}});
  unsaved_reason_ = done.error();
}

}  // namespace sotto
