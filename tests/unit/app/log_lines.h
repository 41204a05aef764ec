// The lines of a log, for tests that wait for one.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "app/logging.h"

namespace sotto::test {

class Lines {
  std::mutex mutex_;
  std::string text_;

 public:
  // Waits until the log has written it, or gives up.
  bool say(const std::string& text) {
    for (int i = 0; i < 1'000; ++i) {
      if (count(text) > 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return false;
  }
  // How often it has been written.
  std::size_t count(const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    for (std::size_t at = text_.find(text); at != std::string::npos;
         at = text_.find(text, at + text.size())) {
      ++found;
    }
    return found;
  }

  // Last: its thread writes to the others until it is gone.
  Log log{{}, [this](std::string_view line) {
            const std::lock_guard lock(mutex_);
            text_ += line;
          }};
};

}  // namespace sotto::test
