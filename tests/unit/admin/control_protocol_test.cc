#include "admin/control_protocol.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

using Words = std::vector<std::string>;

TEST(ControlProtocol, CallsAreReadAsTheyWereWritten) {
  const ControlCall calls[] = {
      {"cache.stats", {}},
      {"cache.flush", {"www.example.", "below"}},
      {"x", {"a\\032b.example.", "-", "\"", "~"}},
  };
  for (const ControlCall& call : calls) {
    const std::string text = call_text(call);
    ASSERT_TRUE(text.ends_with('\n'));
    const auto read = parse_call(std::string_view(text).substr(0, text.size() - 1));
    ASSERT_TRUE(read.has_value()) << read.error();
    EXPECT_EQ(read->command, call.command);
    EXPECT_EQ(read->arguments, call.arguments);
  }
}

TEST(ControlProtocol, LinesThatAreNoCallAreRefused) {
  const std::string_view lines[] = {"",
                                    " ",
                                    " cache.stats",
                                    "cache.stats ",
                                    "cache.show  x",
                                    "cache.show\tx",
                                    "cache.stats\r",
                                    std::string_view("cache\0.stats", 12),
                                    "cache.show m\xC3\xBCnchen."};
  for (const std::string_view line : lines) {
    EXPECT_FALSE(parse_call(line).has_value()) << line;
  }
}

TEST(ControlProtocol, TheCommandDecides) {
  const ControlCommands commands{{"good",
                                  [](std::span<const std::string> arguments) -> ControlResult {
                                    return std::to_string(arguments.size()) + "\n";
                                  }},
                                 {"bad", [](std::span<const std::string>) -> ControlResult {
                                    return tl::unexpected<std::string>("no");
                                  }}};
  EXPECT_EQ(run_call(commands, "good a b").value_or(""), "2\n");
  EXPECT_EQ(run_call(commands, "bad").error(), "no");
  EXPECT_EQ(run_call(commands, "ugly \x1b").error(),
            "the line holds more than printable ASCII; write names with escapes: \\032");
  EXPECT_EQ(run_call(commands, "ugly").error(), "unknown command; known: bad, good");
}

TEST(ControlProtocol, AnswersAreReadAsTheyWereWritten) {
  for (const ControlResult& result :
       {ControlResult(""), ControlResult("a 1\nb 2\n"), ControlResult("error: not one\n"),
        ControlResult(tl::unexpected<std::string>("that is wrong"))}) {
    EXPECT_EQ(parse_answer(answer_text(result)), result);
  }
}

TEST(ControlProtocol, WhatIsNoAnswerIsSaidSo) {
  EXPECT_EQ(parse_answer("").error(), "the answer was cut short");
  EXPECT_EQ(parse_answer("ok").error(), "the answer was cut short");
  EXPECT_EQ(parse_answer("error: half").error(), "the answer was cut short");
  EXPECT_EQ(parse_answer("HTTP/1.1 200 OK\r\n").error(), "the answer is not sotto's");
  EXPECT_EQ(parse_answer("okay\n").error(), "the answer is not sotto's");
}

}  // namespace
}  // namespace sotto
