#include "app/logging.h"

#include <array>
#include <condition_variable>
#include <gtest/gtest.h>
#include <thread>

namespace sotto {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

const system_clock::time_point new_year{milliseconds{1'767'225'600'007}};

TEST(LogLine, IsTextOrJsonAndOneLine) {
  const std::string hostile = "a\nb\"\x1b\xff";
  const std::vector<LogField> fields{{"upstream", "cloudflare"}, {"tls", "TLS1.3 AES"},
                                     {"name", hostile},          {"attempts", 3},
                                     {"resumed", true},          {"empty", ""}};
  EXPECT_EQ(
      log_line(LogFormat::text, new_year, LogLevel::info, "upstream.up", "up \"again\"\n", fields),
      "2026-01-01T00:00:00.007Z info    upstream.up: up \"again\"\\x0a upstream=cloudflare "
      "tls=\"TLS1.3 AES\" name=\"a\\x0ab\\\"\\x1b\\xff\" attempts=3 resumed=true empty=\"\"");
  EXPECT_EQ(
      log_line(LogFormat::json, new_year, LogLevel::warning, "upstream.up", "up \"again\"\n",
               fields),
      "{\"time\":\"2026-01-01T00:00:00.007Z\",\"level\":\"warning\",\"event\":\"upstream.up\","
      "\"message\":\"up \\\"again\\\"\\u000a\",\"upstream\":\"cloudflare\",\"tls\":\"TLS1.3 "
      "AES\",\"name\":\"a\\u000ab\\\"\\u001b\\u00ff\",\"attempts\":3,\"resumed\":true,"
      "\"empty\":\"\"}");
}

TEST(LogLine, DoesNotGrowWithWhatStrangersSend) {
  const std::string huge(1U << 20U, '\n');
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    const std::vector<LogField> fields{{"name", huge}};
    EXPECT_LT(log_line(format, new_year, LogLevel::error, "k", huge, fields).size(), 20'000U);
  }
}

TEST(LogLimiter, AdmitsABurstPerKindAndTellsTheRest) {
  LogLimiter limiter;
  Instant now{std::chrono::hours{1}};
  for (std::uint32_t i = 0; i < LogLimiter::lines_per_window; ++i) {
    EXPECT_TRUE(limiter.admit("a", now));
  }
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(limiter.admit("a", now));
  EXPECT_TRUE(limiter.admit("b", now)) << "each kind has its own window";
  EXPECT_TRUE(limiter.ended(now).empty());
  now += LogLimiter::window;
  EXPECT_TRUE(limiter.admit("a", now)) << "a new window";
  now += LogLimiter::window;
  const auto ended = limiter.ended(now);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].kind, "a");
  EXPECT_EQ(ended[0].lines, 7U);
  EXPECT_TRUE(limiter.ended(now).empty()) << "told once";
}

// Collects lines; can be held up to stand for a terminal that does not read.
struct Collector {
  std::mutex mutex;
  std::condition_variable released;
  bool held = false;
  std::vector<std::string> lines;

  LogOutput output() {
    return [this](std::string_view line) {
      std::unique_lock lock(mutex);
      released.wait(lock, [this] { return !held; });
      lines.emplace_back(line);
    };
  }
};

TEST(Log, WritesWhatIsImportantEnough) {
  Collector collector;
  {
    Log log({LogLevel::warning, LogFormat::text}, collector.output());
    EXPECT_FALSE(log.wants(LogLevel::info));
    log.info("test.info", "no");
    log.warning("test.warning", "yes", {{"n", 1}});
    log.set_level(LogLevel::debug);
    log.debug("test.debug", "now too");
  }
  ASSERT_EQ(collector.lines.size(), 2U);
  EXPECT_TRUE(collector.lines[0].ends_with("Z warning test.warning: yes n=1\n"))
      << collector.lines[0];
  EXPECT_TRUE(collector.lines[1].ends_with("Z debug   test.debug: now too\n"))
      << collector.lines[1];
}

TEST(Log, SaysHowManyLinesItSuppressed) {
  Collector collector;
  {
    Log log({LogLevel::info, LogFormat::text}, collector.output());
    for (std::uint32_t i = 0; i < LogLimiter::lines_per_window + 5; ++i) log.info("flood", "line");
  }
  ASSERT_EQ(collector.lines.size(), LogLimiter::lines_per_window + 1);
  EXPECT_TRUE(collector.lines.back().ends_with("flood: suppressed 5 similar lines\n"))
      << collector.lines.back();
}

// The output hangs, yet writers go on; at the end the lost lines are told.
TEST(Log, NeverBlocksAWriter) {
  constexpr std::size_t queue_lines = 8;
  constexpr std::size_t kinds_count = 4;
  Collector collector;
  {
    collector.held = true;
    Log log({LogLevel::info, LogFormat::text}, collector.output(), queue_lines);
    static constexpr std::array<LogKind, kinds_count> kinds{"k0", "k1", "k2", "k3"};
    std::vector<std::thread> writers;
    for (const LogKind kind : kinds) {
      writers.emplace_back([&log, kind] {
        for (int i = 0; i < 1'000; ++i) log.info(kind, "line");
      });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_GT(log.dropped(), 0U);
    const std::lock_guard lock(collector.mutex);
    collector.held = false;
    collector.released.notify_all();
  }
  // What was queued, the one on its way out, and what the end says about each kind and the losses.
  EXPECT_LE(collector.lines.size(), queue_lines + 1 + kinds_count + 1);
  EXPECT_NE(collector.lines.back().find("log.dropped: lines lost, the output is too slow lines="),
            std::string::npos)
      << collector.lines.back();
}

// What waits in the output is left to its thread; it ends when the output lets it.
TEST(Log, DoesNotWaitForEverAtItsEnd) {
  static auto& collector = *new Collector;  // outlives the thread, which nobody waits for
  collector.held = true;
  {
    Log log({LogLevel::info, LogFormat::text}, collector.output(), Log::queue_lines_max,
            milliseconds{1});
    log.info("test.held", "line");
  }
  std::unique_lock lock(collector.mutex);
  EXPECT_TRUE(collector.lines.empty());
  collector.held = false;
  collector.released.notify_all();
}

}  // namespace
}  // namespace sotto
