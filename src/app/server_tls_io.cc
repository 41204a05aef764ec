#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "app/server_tls.h"
#include "transport/socket_io.h"

namespace sotto {
namespace {

constexpr const char* ticket_key_advice =
    "make one with: openssl rand -out FILE 64 && chmod 600 FILE";

tl::unexpected<ServerFileFault> fault(const std::string& file, std::string what,
                                      std::string advice = {}) {
  return tl::unexpected(ServerFileFault{file, std::move(what), std::move(advice)});
}

// Who can read it could read what was sent, so it is nobody else's. Secrets of containers are
// symbolic links to files of root that the group may read.
std::string ticket_key_exposure(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "it is no regular file";
  if (status.st_uid != ::geteuid() && status.st_uid != 0) return "it belongs to another user";
  if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
    return "others than its owner may use it; its mode must be 0600, or 0640 for a group";
  }
  return {};
}

tl::expected<std::shared_ptr<const TlsTicketKey>, ServerFileFault> read_ticket_key(
    const std::string& path) {
  const std::string failed = "cannot read the ticket key: ";
  // Without O_NONBLOCK a named pipe would be waited for.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return fault(path, failed + std::strerror(errno), errno == ENOENT ? ticket_key_advice : "");
  }
  const std::string exposure = ticket_key_exposure(status);
  if (!exposure.empty()) return fault(path, "the ticket key is not used: " + exposure);
  std::array<std::uint8_t, TlsTicketKey::octets_count> octets{};
  const ssize_t got = ::read(fd.get(), octets.data(), octets.size());
  if (got < 0) return fault(path, failed + std::strerror(errno));
  if (status.st_size != TlsTicketKey::octets_count || got != status.st_size) {
    return fault(path,
                 "a ticket key has 64 octets, this file has " + std::to_string(status.st_size),
                 ticket_key_advice);
  }
  auto key = std::make_shared<const TlsTicketKey>(octets);
  octets.fill(0);
  return key;
}

// A named pipe, say, would be waited for, and for ever.
std::vector<ServerFileFault> irregular_files(const ServerTlsFiles& files) {
  std::vector<ServerFileFault> faults;
  for (const std::string& path : files.paths()) {
    struct stat status {};
    if (path == files.ticket_key_file) continue;  // read_ticket_key() knows more to say
    if (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) continue;
    faults.push_back({path, "it is no regular file", {}});
  }
  return faults;
}

// Why no authorities can be had from the file.
ServerFileFault client_ca_fault(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || ::access(path.c_str(), R_OK) != 0) {
    return {
        path, std::string("cannot read the authorities of clients: ") + std::strerror(errno), {}};
  }
  return {path, "no certificate can be read from the file",
          "it must hold the authorities of client certificates in PEM form"};
}

}  // namespace

FileStamps look_at(const std::set<std::string>& paths) {
  FileStamps stamps;
  for (const std::string& path : paths) {
    FileStamp& stamp = stamps[path];
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) continue;
    constexpr std::int64_t second = 1'000'000'000;
    stamp = {.device = status.st_dev,
             .inode = status.st_ino,
             .octets = status.st_size,
             .changed = status.st_ctim.tv_sec * second + status.st_ctim.tv_nsec,
             .exposed = (status.st_mode & S_IROTH) != 0};
  }
  return stamps;
}

tl::expected<ServerTls, std::vector<ServerFileFault>> load_server_tls(
    ServerTlsFiles files, std::shared_ptr<const TlsTicketKey> own_ticket_key) {
  ServerTls loaded;
  loaded.stamps = look_at(files.paths());
  loaded.own_ticket_key = std::move(own_ticket_key);
  std::vector<ServerFileFault> faults = irregular_files(files);
  if (!faults.empty()) return tl::unexpected(std::move(faults));
  auto ticket_key = loaded.own_ticket_key;
  if (!files.ticket_key_file.empty()) {
    auto shared = read_ticket_key(files.ticket_key_file);
    if (shared) ticket_key = std::move(*shared);
    if (!shared) faults.push_back(std::move(shared.error()));
  }
  if (!files.pairs.empty()) {
    auto credentials = TlsServerCredentials::load(files.pairs, std::move(ticket_key));
    if (credentials) loaded.credentials = std::move(*credentials);
    if (!credentials) faults.push_back(std::move(credentials.error()));
  }
  for (const std::string& path : files.client_cas) {
    if (auto trust = TlsTrust::load(path)) {
      loaded.client_trust.emplace(path, std::move(*trust));
    } else {
      faults.push_back(client_ca_fault(path));
    }
  }
  loaded.files = std::move(files);
  if (!faults.empty()) return tl::unexpected(std::move(faults));
  return loaded;
}

}  // namespace sotto
