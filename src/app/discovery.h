// Keeps what clients are told of the encrypted listeners up to date, and says so in the log.
// Test: tests/unit/app/designation_test.cc, tests/integration/test_discovery.py.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/designation.h"
#include "app/logging.h"

namespace sotto {

class Discovery {
 public:
  // log outlives it.
  explicit Discovery(Log& log) : log_(log) {}

  // Makes it anew; false: nothing has changed. listen: in force. certificates: those shown, in the
  // order of server_tls. host: this host's addresses. What is wrong is logged when it becomes so.
  bool refresh(const Config::Discovery& discovery, const Config::Listen& listen,
               const std::vector<ServerCertificate>& certificates,
               const std::vector<IpAddress>& host);

  // Null: nothing is announced.
  const std::shared_ptr<const DesignatedResolver>& resolver() const { return resolver_; }

 private:
  void tell_of_name(bool is_missing);
  void tell_of_certificate(const std::vector<ServerCertificate>& certificates);

  Log& log_;
  Designation designation_;  // that resolver_ was made of
  std::shared_ptr<const DesignatedResolver> resolver_;
  // What was wrong, as it was told.
  bool name_missing_ = false;
  std::string unproven_;  // the name, or addresses
};

}  // namespace sotto
