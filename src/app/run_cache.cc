#include "app/run_cache.h"

#include <cstdio>
#include <unistd.h>

#include "admin/control_client_io.h"
#include "app/control_path.h"

namespace sotto {

namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_configuration = 2;

int failed(const std::string& why) {
  std::fprintf(stderr, "sotto: %s\n", why.c_str());
  return exit_failed;
}

}  // namespace

int run_cache(const ControlCall& call, const CacheWords& words, const ConfigSource& source,
              const Environment& environment) {
  std::string path = words.socket;
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
  const ControlResult answer = ask_control(path, call);
  if (!answer) return failed(answer.error());
  std::fwrite(answer->data(), 1, answer->size(), stdout);
  return exit_done;
}

}  // namespace sotto
