// Certificates, keys and authorities in a directory, for what reads them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "app/server_tls.h"
#include "test_certificates.h"

namespace sotto::test {

inline TestIdentity identity_for(const std::string& name,
                                 std::chrono::seconds valid_to = std::chrono::hours(24 * 365)) {
  return TestIdentity({.dns_names = {name}, .valid_to = valid_to});
}

struct ServerTlsWorld {
  TempDirectory directory;
  std::shared_ptr<const TlsTicketKey> own_key = TlsTicketKey::random();

  std::string path(const std::string& name) const { return directory.path() + "/" + name; }
  // As a whole, so that it is another file.
  std::string replace(const std::string& name, const std::string& content,
                      std::filesystem::perms mode = std::filesystem::perms::owner_read) const {
    const std::string made = directory.write(name + ".new", content);
    std::filesystem::permissions(made, mode);
    std::filesystem::rename(made, path(name));
    return path(name);
  }
  CertificatePair replace_pair(const std::string& name, const TestIdentity& identity) const {
    return {replace(name + ".pem", identity.pem()), replace(name + ".key", identity.key()->pem())};
  }
};

}  // namespace sotto::test
