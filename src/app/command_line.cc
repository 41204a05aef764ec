#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "app/text.h"

namespace sotto {

namespace {

// Filled by CLI11.
struct Parsed {
  CommandLine line;
  bool help = false;
  bool version = false;
  std::string config_file;
};

void add_flag(CLI::App& app, const std::string& name, std::vector<std::string>& texts) {
  // One value each time it is given: what follows is the next option or the command.
  app.add_option(name, texts)
      ->allow_extra_args(false)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_config_flags(CLI::App& app, Parsed& parsed) {
  app.add_option("--config", parsed.config_file)->expected(1);
  for (const Option& option : options()) {
    if (option.flag.empty()) continue;
    const std::string flag(option.flag);
    if (parsed.line.settings.try_emplace(flag).second) {
      add_flag(app, flag, parsed.line.settings[flag]);
    }
  }
}

// A command with words and flags of its own, in rows.
template <class Words, class Flags>
CLI::App* add_command(CLI::App& app, const char* name, bool& help, Words& words, Flags flags) {
  CLI::App* command = app.add_subcommand(name);
  command->set_help_flag();
  command->add_flag("-h,--help", help);
  command->add_option("words", words.words);
  for (const auto& flag : flags) {
    const std::string flag_name(flag.flag);
    if (flag.on != nullptr) {
      command->add_flag(flag_name, words.*flag.on);
    } else {
      command->add_option(flag_name, words.*flag.text)->expected(1);
    }
  }
  return command;
}

// The words that CLI11 did not expect: "The following argument was not expected: --lisen", or
// "arguments were".
std::vector<std::string> unexpected_words(const std::string& message) {
  if (!message.starts_with("The following argument")) return {};
  std::vector<std::string> words;
  std::istringstream rest(message.substr(std::min(message.find(": ") + 2, message.size())));
  for (std::string word; rest >> word;) words.push_back(word);
  return words;
}

// What CLI11 says, as one line that tells what to do.
std::string usage_fault(const CLI::ParseError& error, const std::vector<std::string>& known) {
  std::string message = error.what();
  std::vector<std::string> words = unexpected_words(message);
  if (words.empty()) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    // "--listen: 1 required TEXT missing", "--socket: At Most 1 required but received 2"
    const std::size_t missing = message.find(": 1 required");
    if (missing != std::string::npos) return message.substr(0, missing) + " needs a value";
    const std::size_t repeated = message.find(": At Most 1 required");
    if (repeated != std::string::npos) {
      return message.substr(0, repeated) + " is given more than once";
    }
    return escaped(message);
  }
  // A misspelt option takes its value along; the option is what is wrong.
  const auto option = std::find_if(words.begin(), words.end(),
                                   [](const std::string& word) { return word.starts_with('-'); });
  const std::string& word = option == words.end() ? words.front() : *option;
  const std::string_view meant = nearest(word, {known.begin(), known.end()});
  if (meant == word) return complaint("one command at a time", word);
  const std::string what = option == words.end() ? "unknown command" : "unknown option";
  return complaint(what, word, meant.empty() ? "" : "did you mean \"" + std::string(meant) + "\"?");
}

std::vector<std::string> known_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) words.push_back(option->get_name());
  }
  for (const CLI::App* command : app.get_subcommands(nullptr)) words.push_back(command->get_name());
  return words;
}

CommandLine::Command help_of(CommandLine::Command command) {
  using Command = CommandLine::Command;
  switch (command) {
    case Command::query:
      return Command::query_help;
    case Command::cache:
      return Command::cache_help;
    case Command::upstreams:
      return Command::upstreams_help;
    default:
      return Command::help;
  }
}

}  // namespace

tl::expected<CommandLine, UsageFault> parse_command_line(std::vector<std::string> arguments) {
  using Command = CommandLine::Command;
  Parsed parsed;
  CLI::App app("sotto");
  app.set_help_flag();
  app.add_flag("-h,--help", parsed.help);
  app.add_flag("--version", parsed.version);
  add_config_flags(app, parsed);
  // Options of the configuration are known to the main command; serve and check pass them up.
  for (const char* name : {"serve", "check"}) {
    CLI::App* command = app.add_subcommand(name)->fallthrough();
    command->set_help_flag();
  }
  CommandLine& line = parsed.line;
  const CLI::App* query = add_command(app, "query", parsed.help, line.query, query_flags());
  const CLI::App* cache = add_command(app, "cache", parsed.help, line.cache, cache_flags());
  const CLI::App* upstreams =
      add_command(app, "upstreams", parsed.help, line.upstreams, upstreams_flags());
  app.require_subcommand(0, 1);
  try {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    const auto fault = [&](const CLI::App& meant, Command help) {
      return tl::unexpected(UsageFault{usage_fault(error, known_words(meant)), help});
    };
    if (app.got_subcommand("query")) return fault(*query, Command::query_help);
    if (app.got_subcommand("cache")) return fault(*cache, Command::cache_help);
    if (app.got_subcommand("upstreams")) return fault(*upstreams, Command::upstreams_help);
    return fault(app, Command::help);
  }
  if (app.got_subcommand("check")) line.command = Command::check;
  if (app.got_subcommand("query")) line.command = Command::query;
  if (app.got_subcommand("cache")) line.command = Command::cache;
  if (app.got_subcommand("upstreams")) line.command = Command::upstreams;
  if (parsed.help) {
    line.command = help_of(line.command);
  } else if (parsed.version) {
    line.command = Command::version;
  }
  if (app.count("--config") != 0) line.config_file = parsed.config_file;
  if (cache->count("--config") != 0) line.config_file = line.cache.config_file;
  if (upstreams->count("--config") != 0) line.config_file = line.upstreams.config_file;
  // "--socket $UNSET" must not quietly mean the configuration's.
  const auto is_empty = [](const CLI::App& command, const std::string& socket) {
    return command.count("--socket") != 0 && socket.empty();
  };
  const char* const fault = "--socket: the path is empty";
  if (line.command == Command::cache && is_empty(*cache, line.cache.socket)) {
    return tl::unexpected(UsageFault{fault, Command::cache_help});
  }
  if (line.command == Command::upstreams && is_empty(*upstreams, line.upstreams.socket)) {
    return tl::unexpected(UsageFault{fault, Command::upstreams_help});
  }
  return std::move(parsed.line);
}

}  // namespace sotto
