#include "admin/control_protocol.h"

#include <algorithm>

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;

constexpr std::string_view good_status = "ok";
constexpr std::string_view error_status = "error: ";

bool is_printable(char character) {
  return character >= ' ' && character <= '~';
}

}  // namespace

std::string call_text(const ControlCall& call) {
  std::string text = call.command;
  for (const std::string& argument : call.arguments) text += " " + argument;
  return text + "\n";
}

tl::expected<ControlCall, std::string> parse_call(std::string_view line) {
  if (!std::all_of(line.begin(), line.end(), is_printable)) {
    return Failure("the line holds more than printable ASCII; write names with escapes: \\032");
  }
  std::vector<std::string> words;
  while (true) {
    const std::size_t end = std::min(line.find(' '), line.size());
    if (end == 0) return Failure("send a command and its arguments, single spaces between");
    words.emplace_back(line.substr(0, end));
    if (end == line.size()) break;
    line.remove_prefix(end + 1);
  }
  ControlCall call{.command = std::move(words.front()), .arguments = {}};
  call.arguments.assign(std::next(words.begin()), words.end());
  return call;
}

ControlResult run_call(const ControlCommands& commands, std::string_view line) {
  const auto call = parse_call(line);
  if (!call) return Failure(call.error());
  const auto command = commands.find(call->command);
  if (command != commands.end()) return command->second(call->arguments);
  std::string known;
  for (const auto& [name, unused] : commands) known += (known.empty() ? "" : ", ") + name;
  return Failure("unknown command; known: " + known);
}

std::string answer_text(const ControlResult& result) {
  if (!result) return std::string(error_status) + result.error() + "\n";
  return std::string(good_status) + "\n" + *result;
}

ControlResult parse_answer(std::string_view text) {
  const std::size_t end = text.find('\n');
  const std::string_view status = text.substr(0, end);
  if (end == std::string_view::npos) return Failure("the answer was cut short");
  if (status == good_status) return std::string(text.substr(end + 1));
  if (status.starts_with(error_status)) {
    return Failure(std::string(status.substr(error_status.size())));
  }
  return Failure("the answer is not sotto's");
}

}  // namespace sotto
