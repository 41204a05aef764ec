#include "app/logging.h"

#include <condition_variable>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <vector>

#include "base/standard_error.h"

namespace sotto {

namespace {

// How many lines the output has taken.
class LineCount {
 public:
  void add_one() {
    const std::lock_guard lock(mutex_);
    ++lines_;
    grown_.notify_all();
  }
  // False if there are fewer when the time is up. wanted() may fall meanwhile.
  template <class Wanted>
  bool wait_for(Wanted wanted, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return grown_.wait_for(lock, patience, [&] { return lines_ >= wanted(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable grown_;
  std::uint64_t lines_ = 0;
};

// Hands each line over as it was made; it needs no formatting any more.
class OutputSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  OutputSink(LogOutput output, std::shared_ptr<LineCount> taken)
      : output_(std::move(output)), taken_(std::move(taken)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    output_(std::string_view(message.payload.data(), message.payload.size()));
    taken_->add_one();
  }
  void flush_() override {}

  LogOutput output_;
  std::shared_ptr<LineCount> taken_;
};

}  // namespace

struct Log::Queue {
  Queue(LogOutput output, std::size_t lines)
      : pool(std::make_shared<spdlog::details::thread_pool>(lines, 1)),
        logger(std::make_shared<spdlog::async_logger>(
            "sotto", std::make_shared<OutputSink>(std::move(output), taken), pool,
            spdlog::async_overflow_policy::overrun_oldest)) {
    logger->set_level(spdlog::level::trace);
  }
  // The thread ends with its last line before the logger that its messages refer to goes.
  ~Queue() { pool.reset(); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Whether the output has taken all that was not dropped.
  bool wait_until_written(std::chrono::milliseconds at_most) const {
    return taken->wait_for([this] { return put - pool->overrun_counter(); }, at_most);
  }

  std::uint64_t put = 0;
  std::shared_ptr<LineCount> taken = std::make_shared<LineCount>();
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

Log::Log(const Config::Log& config) : Log(config, write_to_standard_error) {}

Log::Log(const Config::Log& config, LogOutput output, std::size_t queue_lines,
         std::chrono::milliseconds patience_at_end)
    : format_(config.format),
      patience_(patience_at_end),
      level_(config.level),
      queue_(std::make_unique<Queue>(std::move(output), queue_lines)) {}

Log::~Log() {
  const std::lock_guard lock(mutex_);
  report_suppressed(monotonic_now() + LogLimiter::window);
  if (queue_->wait_until_written(patience_)) return;
  // The thread cannot be taken out of the call that it waits in: it keeps what it works with.
  static auto& left = *new std::vector<std::unique_ptr<Queue>>;  // outlives every destructor
  left.push_back(std::move(queue_));
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
  ++queue_->put;
  queue_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

std::uint64_t Log::dropped() const {
  return queue_->pool->overrun_counter();
}

}  // namespace sotto
