#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

#include "app/process_usage.h"

namespace sotto {

namespace {

std::uint64_t entries_of(const char* directory) {
  std::error_code error;
  const std::filesystem::directory_iterator begin(directory, error);
  if (error) return 0;
  return static_cast<std::uint64_t>(std::distance(begin, {}));
}

double seconds(const timeval& time) {
  constexpr double microseconds_per_second = 1'000'000;
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) / microseconds_per_second;
}

}  // namespace

ProcessUsage process_usage() {
  ProcessUsage usage;
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0) {
    usage.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  }
  std::ifstream pages("/proc/self/statm");
  std::uint64_t virtual_pages = 0;
  std::uint64_t resident_pages = 0;
  if (pages >> virtual_pages >> resident_pages) {
    const auto page_octets = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    usage.virtual_octets = virtual_pages * page_octets;
    usage.resident_octets = resident_pages * page_octets;
  }
  const std::uint64_t open = entries_of("/proc/self/fd");
  usage.descriptors = open > 0 ? open - 1 : 0;  // one was there to count them
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.descriptors_max = limit.rlim_cur;
  usage.threads = entries_of("/proc/self/task");
  return usage;
}

}  // namespace sotto
