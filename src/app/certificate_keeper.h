// Watches over the files of encrypted listeners: takes them up when they change, tells of
// certificates that expire. On the background's thread. See doc/decisions/0027.
// Test: tests/unit/app/certificate_keeper_test.cc, tests/integration/test_server_tls.py.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/logging.h"
#include "app/server_tls.h"
#include "base/clock.h"

namespace sotto {

class CertificateKeeper {
 public:
  // A look costs a stat() per file.
  static constexpr Duration look_interval = std::chrono::seconds{2};
  // Certificate and key are replaced one after the other: what changed is looked at again before it
  // is read, until it stays.
  static constexpr Duration settle_interval = std::chrono::milliseconds{250};
  // Authorities that renew by themselves do so a month before.
  static constexpr int warning_days = 14;

  // log outlives the keeper.
  explicit CertificateKeeper(Log& log) : log_(log) {}

  // What is in use now, as a configuration brought it.
  void adopt(ServerTls tls, Instant now);
  // What the files hold now, if they changed since and can be used. Files that cannot are told of
  // once, and what is in use stays.
  std::optional<ServerTls> look(Instant now);
  Instant next_look() const { return next_look_; }

 private:
  void take_up(ServerTls tls);
  void tell_expiry(bool always);
  void tell(const ServerCertificate& certificate, std::int64_t days);

  Log& log_;
  ServerTls current_;
  FileStamps handled_;                             // loaded, or refused and told
  FileStamps seen_;                                // at the last look
  std::map<std::string, std::int64_t> days_told_;  // by certificate file
  Instant next_look_ = never;
};

// What to say at once of keys that are no secret, and of certificates that clients refuse, or will
// within warning_days.
std::vector<std::string> certificate_warnings(const ServerTls& tls);

}  // namespace sotto
