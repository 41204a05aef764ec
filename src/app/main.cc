// The program: hands each command to whoever does it, and turns its result into an exit code.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "app/certificate_keeper.h"
#include "app/command_line.h"
#include "app/config_source.h"
#include "app/help.h"
#include "app/query/run_query.h"
#include "app/run_control.h"
#include "app/serve.h"
#include "base/last_words.h"

namespace {

constexpr int exit_clean = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

void print(std::FILE* stream, const std::string& text) {
  std::fputs(text.c_str(), stream);
}

int usage_error(const std::string& fault, const char* help) {
  print(stderr, "sotto: " + fault + "; see " + help + "\n");
  return exit_usage;
}

const char* words_for(sotto::CommandLine::Command help) {
  using Command = sotto::CommandLine::Command;
  if (help == Command::query_help) return "sotto query --help";
  if (help == Command::upstreams_help) return "sotto upstreams --help";
  return help == Command::cache_help ? "sotto cache --help" : "sotto --help";
}

// Shows the configuration as it takes effect, or every error in it.
int check(const sotto::ConfigSource& source) {
  const auto loaded = source.load();
  if (!loaded) {
    print(stderr, sotto::errors_text(loaded.error()));
    return exit_usage;
  }
  print(stdout, sotto::config_text(loaded->config));
  const std::string warning = sotto::cache_file_warning(loaded->config);
  if (!warning.empty()) print(stderr, "sotto: warning: " + warning + "\n");
  for (const std::string& of_files : sotto::certificate_warnings(loaded->server_tls)) {
    print(stderr, "sotto: warning: " + of_files + "\n");
  }
  return exit_clean;
}

int run(const sotto::CommandLine& line) {
  using Command = sotto::CommandLine::Command;
  const auto environment = [](const char* name) -> const char* { return std::getenv(name); };
  const sotto::ConfigSource source{line.config_file, line.settings, environment};
  switch (line.command) {
    case Command::help:
      print(stdout, sotto::help_text());
      return exit_clean;
    case Command::query_help:
      print(stdout, sotto::query_help_text());
      return exit_clean;
    case Command::cache_help:
      print(stdout, sotto::cache_help_text());
      return exit_clean;
    case Command::upstreams_help:
      print(stdout, sotto::upstreams_help_text());
      return exit_clean;
    case Command::version:
      print(stdout, sotto::version_text() + "\n");
      return exit_clean;
    case Command::query: {
      const auto options = sotto::parse_query_words(line.query, environment);
      if (!options) return usage_error(options.error(), "sotto query --help");
      return sotto::run_query(*options);
    }
    case Command::cache: {
      const auto call = sotto::parse_cache_words(line.cache);
      if (!call) return usage_error(call.error(), "sotto cache --help");
      return sotto::run_control(*call, line.cache.socket, source, environment);
    }
    case Command::upstreams: {
      const auto call = sotto::parse_upstreams_words(line.upstreams);
      if (!call) return usage_error(call.error(), "sotto upstreams --help");
      return sotto::run_control(*call, line.upstreams.socket, source, environment);
    }
    case Command::check:
      return check(source);
    case Command::serve:
      return sotto::serve(source, environment);
  }
  return exit_usage;
}

// Where one of them is closed, the next socket would take its place, and log lines would be sent to
// whoever is connected to it.
void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    static_cast<void>(::open("/dev/null", O_RDWR));  // the lowest that is free
  }
}

// Nobody read what was asked for: a full disk, say.
int with_output_written(int code) {
  return std::fflush(stdout) != 0 && code == exit_clean ? exit_failed : code;
}

int run(int argc, char** argv) {
  const auto line = sotto::parse_command_line({argv + 1, argv + argc});
  if (!line) return usage_error(line.error().text, words_for(line.error().help));
  return with_output_written(run(*line));
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  sotto::have_last_words();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    sotto::tell_what_failed("cannot go on", error);
    return exit_failed;
  }
}
