// What encrypted listeners show, whom they trust and what they seal tickets with: read from files
// with the configuration, and anew when the files change. See doc/decisions/0027.
// Test: tests/unit/app/server_tls_test.cc, tests/integration/test_server_tls.py.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/config.h"
#include "transport/tls_credentials.h"
#include "transport/tls_server_credentials.h"

namespace sotto {

// Tells a file from what replaced it. All zeros: there is none.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t octets = 0;
  std::int64_t changed = 0;  // nanoseconds since 1970: its content, owner, mode or names
  bool exposed = false;      // every user of this host may read it
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

struct ServerTlsFiles {
  std::vector<CertificatePair> pairs;
  std::string ticket_key_file;       // empty: a key of this process's own
  std::set<std::string> client_cas;  // of listeners
  friend bool operator==(const ServerTlsFiles&, const ServerTlsFiles&) = default;

  std::set<std::string> paths() const;
};
ServerTlsFiles server_tls_files(const Config& config);

// By path, of what the path leads to: a replaced symbolic link is a change too.
using FileStamps = std::map<std::string, FileStamp>;
FileStamps look_at(const std::set<std::string>& paths);

struct ServerTls {
  ServerTlsFiles files;
  FileStamps stamps;                                        // from before they were read
  std::shared_ptr<const TlsTicketKey> own_ticket_key;       // for when no file is named
  std::shared_ptr<const TlsServerCredentials> credentials;  // null: there are no pairs
  std::map<std::string, std::shared_ptr<const TlsTrust>> client_trust;  // by client_ca
};

// The private keys that everybody may read, which is not refused: the directory may be closed.
std::vector<std::string> exposed_keys(const ServerTls& tls);

// Every fault there is, or everything. own_ticket_key: the same for as long as the process lives,
// so that a reload keeps sessions good.
tl::expected<ServerTls, std::vector<ServerFileFault>> load_server_tls(
    ServerTlsFiles files, std::shared_ptr<const TlsTicketKey> own_ticket_key);

// Listeners change at a restart only: what those of the running configuration need stays, if the
// new one does not name it any more.
void keep_in_use(const ServerTls& running, ServerTls& loaded);

}  // namespace sotto
