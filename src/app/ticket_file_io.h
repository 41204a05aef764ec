// Keeps the session tickets across restarts: reads their file before the first connection, then
// writes it now and then and at a clean stop. Each ticket is used once.
// Test: tests/unit/app/keepers_test.cc.
#pragma once

#include <string>

#include "app/file_calls.h"
#include "app/logging.h"
#include "base/clock.h"
#include "transport/tls_credentials.h"

namespace sotto {

class TicketKeeper {
 public:
  // How often the file is written if tickets came or went.
  static constexpr Duration save_interval = std::chrono::minutes{1};

  // All outlive the keeper. path: empty to keep nothing.
  TicketKeeper(Log& log, TlsTicketStore& tickets, FileCalls& calls, std::string path)
      : log_(log), tickets_(tickets), calls_(calls), path_(std::move(path)) {}

  // Fills the store, and takes out of the file what is now there, so that a crash does not make it
  // be used again. Once.
  void load(Instant now);
  // If there is something new. last: at a clean stop.
  void save(bool last, Instant now);
  Instant next_save() const { return next_save_; }

 private:
  void write(bool last);

  Log& log_;
  TlsTicketStore& tickets_;
  FileCalls& calls_;
  const std::string path_;
  bool may_replace_ = true;  // false: what stands under the name is no file of ours
  std::uint64_t saved_ = 0;  // TlsTicketStore::changes() then
  Instant next_save_ = never;
  std::string unsaved_reason_;  // told already
};

}  // namespace sotto
