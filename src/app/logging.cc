#include "app/logging.h"

#include <cstdio>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>

namespace sotto {

namespace {

// Hands each line over as it was made; it needs no formatting any more.
class OutputSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit OutputSink(LogOutput output) : output_(std::move(output)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    output_(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

  LogOutput output_;
};

void write_stderr(std::string_view line) {
  // One call a line, unbuffered; there is nobody to tell if it fails.
  static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
}

}  // namespace

struct Log::Queue {
  Queue(LogOutput output, std::size_t lines)
      : pool(std::make_shared<spdlog::details::thread_pool>(lines, 1)),
        logger(std::make_shared<spdlog::async_logger>(
            "sotto", std::make_shared<OutputSink>(std::move(output)), pool,
            spdlog::async_overflow_policy::overrun_oldest)) {
    logger->set_level(spdlog::level::trace);
  }
  // The thread ends with its last line before the logger that its messages refer to goes.
  ~Queue() { pool.reset(); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

Log::Log(const Config::Log& config) : Log(config, write_stderr) {}

Log::Log(const Config::Log& config, LogOutput output, std::size_t queue_lines)
    : format_(config.format),
      level_(config.level),
      queue_(std::make_unique<Queue>(std::move(output), queue_lines)) {}

Log::~Log() {
  const std::lock_guard lock(mutex_);
  report_suppressed(monotonic_now() + LogLimiter::window);
}

void Log::write(LogLevel level, LogKind kind, std::string_view message, Fields fields) {
  if (!wants(level)) return;
  const Instant now = monotonic_now();
  const std::lock_guard lock(mutex_);
  report_suppressed(now);
  if (limiter_.admit(kind.name(), now)) put(level, kind.name(), message, fields);
}

void Log::report_suppressed() {
  const std::lock_guard lock(mutex_);
  report_suppressed(monotonic_now());
}

void Log::report_suppressed(Instant now) {
  for (const LogLimiter::Suppressed& kind : limiter_.ended(now)) {
    put(LogLevel::warning, kind.kind, "suppressed " + std::to_string(kind.lines) + " similar lines",
        {});
  }
  const std::uint64_t lost = dropped();
  if (lost == dropped_told_) return;
  put(LogLevel::warning, "log.dropped", "lines lost, the output is too slow",
      {{"lines", lost - dropped_told_}});
  dropped_told_ = lost;
}

void Log::put(LogLevel level, std::string_view kind, std::string_view message, Fields fields) {
  const std::string line =
      log_line(format_, wall_now(), level, kind, message, {fields.begin(), fields.size()}) + "\n";
  queue_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

std::uint64_t Log::dropped() const {
  return queue_->pool->overrun_counter();
}

}  // namespace sotto
