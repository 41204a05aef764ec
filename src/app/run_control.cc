#include "app/run_control.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <unistd.h>

#include "admin/control_client_io.h"
#include "app/control_path.h"

namespace sotto {

namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_configuration = 2;

// Looking is over in a moment; to forget what is below a name means going through a large cache,
// which lets others go first.
constexpr std::chrono::seconds patience{5};
constexpr std::chrono::seconds patience_for_flush{60};

int failed(const std::string& why) {
  std::fprintf(stderr, "sotto: %s\n", why.c_str());
  return exit_failed;
}

}  // namespace

int run_control(const ControlCall& call, const std::string& socket, const ConfigSource& source,
                const Environment& environment) {
  std::string path = socket;
  if (path.empty()) {
    const auto loaded = source.load();
    if (!loaded) {
      std::fputs(errors_text(loaded.error()).c_str(), stderr);
      return exit_configuration;
    }
    const auto found = control_path(loaded->config.control, environment, ::geteuid() == 0);
    if (!found) return failed(found.error() + ", or use --socket");
    path = found->path;
  }
  const bool flush = call.command == "cache.flush";
  const ControlResult answer = ask_control(path, call, flush ? patience_for_flush : patience);
  if (!answer) return failed(answer.error());
  const bool written = std::fwrite(answer->data(), 1, answer->size(), stdout) == answer->size();
  if (!written || std::fflush(stdout) != 0) {
    return failed(std::string("cannot write the answer: ") + std::strerror(errno));
  }
  return exit_done;
}

}  // namespace sotto
