// The log: asynchronous, bounded, limited by kind, its level changeable while it runs. Never blocks
// a worker: what does not fit into the queue is dropped and counted. Test:
// tests/unit/app/logging_test.cc.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "app/log_line.h"

namespace sotto {

// Takes whole lines with their line end, on the log's own thread.
using LogOutput = std::function<void(std::string_view line)>;

class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  // Half a second of the worst storm the limits admit; at most 2 MB of lines.
  static constexpr std::size_t queue_lines_max = 1'024;
  // For how long the end waits for the output. See doc/decisions/0038.
  static constexpr std::chrono::milliseconds patience{1'000};

  // Writes to standard error.
  explicit Log(const Config::Log& config);
  // patience: for tests.
  Log(const Config::Log& config, LogOutput output, std::size_t queue_lines = queue_lines_max,
      std::chrono::milliseconds patience_at_end = patience);
  // Writes what is queued and says what was suppressed. An output that takes nothing is not waited
  // for longer than patience: what it holds is left to the thread that writes, for ever.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  // Ask before collecting costly fields.
  bool wants(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }

  // Thread-safe.
  void debug(LogKind kind, std::string_view message, Fields fields = {}) {
    write(LogLevel::debug, kind, message, fields);
  }
  void info(LogKind kind, std::string_view message, Fields fields = {}) {
    write(LogLevel::info, kind, message, fields);
  }
  void warning(LogKind kind, std::string_view message, Fields fields = {}) {
    write(LogLevel::warning, kind, message, fields);
  }
  void error(LogKind kind, std::string_view message, Fields fields = {}) {
    write(LogLevel::error, kind, message, fields);
  }
  void write(LogLevel level, LogKind kind, std::string_view message, Fields fields);

  // Says what was suppressed in windows that have ended, and what was dropped. Every line does so
  // too; a timer that calls it every few seconds tells of a storm that was followed by silence.
  void report_suppressed();

  // Lines lost because the output was slower than the messages.
  std::uint64_t dropped() const;

 private:
  struct Queue;
  void put(LogLevel level, std::string_view kind, std::string_view message, Fields fields);
  void report_suppressed(Instant now);

  const LogFormat format_;
  const std::chrono::milliseconds patience_;
  std::atomic<LogLevel> level_;
  std::mutex mutex_;
  LogLimiter limiter_;
  std::uint64_t dropped_told_ = 0;
  std::unique_ptr<Queue> queue_;
};

}  // namespace sotto
