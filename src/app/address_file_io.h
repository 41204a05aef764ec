// Keeps the addresses of upstreams given by name in the state directory. Losing them costs a
// lookup, so whatever is wrong is said and sotto goes on. Test:
// tests/unit/app/keepers_test.cc.
#pragma once

#include <string>

#include "app/address_file.h"
#include "app/file_calls.h"
#include "app/logging.h"

namespace sotto {

class AddressKeeper {
 public:
  // All outlive the keeper. state_directory: empty to keep nothing.
  AddressKeeper(Log& log, FileCalls& calls, const std::string& state_directory);

  // What was kept; empty if nothing can be used.
  HostAddresses load();
  // Writes the file unless it holds just that.
  void save(const HostAddresses& hosts);

 private:
  Log& log_;
  FileCalls& calls_;
  const std::string path_;  // empty: nothing is kept
  bool may_replace_ = true;
  HostAddresses saved_;
  std::string unsaved_reason_;  // told already
};

}  // namespace sotto
