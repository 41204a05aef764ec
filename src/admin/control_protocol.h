// What is said over the control socket: the client sends one line, a command and its arguments,
// separated by single spaces and ended by a line feed, printable ASCII, at most call_octets_max
// octets in all:
//
//     cache.flush www.example. below
//
// The server answers with a status line, "ok" or "error: WHY", and after "ok" with the command's
// text, as many lines as it likes; then it closes. An argument with spaces in it cannot be said:
// names are sent in presentation format, where a space is \032.
// Test: tests/unit/admin/control_protocol_test.cc.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace sotto {

// A name takes at most 1,012 octets as text.
inline constexpr std::size_t call_octets_max = 2'048;

struct ControlCall {
  std::string command;
  std::vector<std::string> arguments;
};

// A command's text, or why there is none: one line.
using ControlResult = tl::expected<std::string, std::string>;

using ControlCommand = std::function<ControlResult(std::span<const std::string> arguments)>;
// By name: "cache.flush".
using ControlCommands = std::map<std::string, ControlCommand, std::less<>>;

// With its line feed.
std::string call_text(const ControlCall& call);
// line: without its line feed. The error says what to send.
tl::expected<ControlCall, std::string> parse_call(std::string_view line);

// Does what line asks, or says why not.
ControlResult run_call(const ControlCommands& commands, std::string_view line);

std::string answer_text(const ControlResult& result);
// text: all that came before the server closed.
ControlResult parse_answer(std::string_view text);

}  // namespace sotto
