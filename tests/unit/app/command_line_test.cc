#include "app/command_line.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

using Command = CommandLine::Command;
using Words = std::vector<std::string>;

TEST(CommandLine, FindsTheCommand) {
  struct Case {
    Words arguments;
    Command command;
  };
  const Case cases[] = {
      {{}, Command::serve},
      {{"serve"}, Command::serve},
      {{"check"}, Command::check},
      {{"query", "example"}, Command::query},
      {{"query", "check"}, Command::query},
      {{"--help"}, Command::help},
      {{"-h"}, Command::help},
      {{"serve", "--help"}, Command::help},
      {{"check", "--help"}, Command::help},
      {{"query", "--help"}, Command::query_help},
      {{"cache", "stats"}, Command::cache},
      {{"cache", "flush", "check"}, Command::cache},
      {{"cache", "--help"}, Command::cache_help},
      {{"cache", "flush", "-h"}, Command::cache_help},
      {{"upstreams"}, Command::upstreams},
      {{"upstreams", "--json"}, Command::upstreams},
      {{"upstreams", "-h"}, Command::upstreams_help},
      {{"--version"}, Command::version},
  };
  for (const Case& c : cases) {
    const auto line = parse_command_line(c.arguments);
    ASSERT_TRUE(line.has_value()) << line.error().text;
    EXPECT_EQ(line->command, c.command) << (c.arguments.empty() ? "" : c.arguments.back());
  }
}

TEST(CommandLine, CacheTakesWordsAndFlags) {
  const auto line = parse_command_line(
      {"cache", "flush", "example.com", "--below", "--socket", "/s", "--config", "f"});
  ASSERT_TRUE(line.has_value()) << line.error().text;
  EXPECT_EQ(line->cache.words, (Words{"flush", "example.com"}));
  EXPECT_TRUE(line->cache.below);
  EXPECT_EQ(line->cache.socket, "/s");
  EXPECT_EQ(line->config_file, "f");
  EXPECT_EQ(parse_command_line({"--config", "g", "cache", "stats"})->config_file, "g");
  EXPECT_EQ(parse_command_line({"cache", "show", "\\-x.example"})->cache.words,
            (Words{"show", "\\-x.example"}));
  EXPECT_EQ(parse_command_line({"cache", "stats", "--sock", "/s"}).error().text,
            "unknown option (\"--sock\"); did you mean \"--socket\"?");
}

TEST(CommandLine, OptionsStandBeforeOrBehindTheCommand) {
  for (const Words& arguments :
       {Words{"check", "--config", "f", "--listen", "a", "--listen=b", "--upstream", "u"},
        Words{"--config", "f", "--listen", "a", "--listen", "b", "--upstream", "u", "check"}}) {
    const auto line = parse_command_line(arguments);
    ASSERT_TRUE(line.has_value()) << line.error().text;
    EXPECT_EQ(line->command, Command::check);
    EXPECT_EQ(line->config_file, "f");
    EXPECT_EQ(line->settings.at("--listen"), (Words{"a", "b"}));
    EXPECT_EQ(line->settings.at("--upstream"), (Words{"u"}));
    EXPECT_TRUE(line->settings.at("--ca-file").empty());
  }
}

TEST(CommandLine, QueryHasItsOwnOptions) {
  const auto line = parse_command_line({"query", "--tcp", "@192.0.2.1", "example", "--ca-file", "f",
                                        "AAAA", "--short", "--dnssec", "--cd", "--no-rd",
                                        "--timeout", "1s", "--class", "CH"});
  ASSERT_TRUE(line.has_value()) << line.error().text;
  EXPECT_EQ(line->query.words, (Words{"@192.0.2.1", "example", "AAAA"}));
  EXPECT_TRUE(line->query.tcp && line->query.brief && line->query.dnssec);
  EXPECT_TRUE(line->query.checking_disabled && line->query.no_recursion);
  EXPECT_FALSE(line->query.no_edns);
  EXPECT_EQ(line->query.ca_file, "f");
  EXPECT_EQ(line->query.timeout, "1s");
  EXPECT_EQ(line->query.qclass, "CH");
}

TEST(CommandLine, FaultsAreOneLineThatTellsWhatIsMeant) {
  struct Case {
    Words arguments;
    const char* fault;
    Command help = Command::help;
  };
  const Case cases[] = {
      {{"--lisen", "127.0.0.1:53"}, "unknown option (\"--lisen\"); did you mean \"--listen\"?"},
      {{"chek"}, "unknown command (\"chek\"); did you mean \"check\"?"},
      {{"dance"}, "unknown command (\"dance\")"},
      {{"serve", "check"}, "one command at a time (\"check\")"},
      {{"--listen"}, "--listen needs a value"},
      {{"check", "--config"}, "--config needs a value"},
      {{"query", "--dnsec", "a"},
       "unknown option (\"--dnsec\"); did you mean \"--dnssec\"?",
       Command::query_help},
      {{"query", "a", "--listen", "b"}, "unknown option (\"--listen\")", Command::query_help},
      {{"query", "a", "--timeout"}, "--timeout needs a value", Command::query_help},
      {{"upstreams", "--jsn"},
       "unknown option (\"--jsn\"); did you mean \"--json\"?",
       Command::upstreams_help},
      {{"upstreams", "--socket", ""}, "--socket: the path is empty", Command::upstreams_help},
      {{"cache", "stats", "--socket"}, "--socket needs a value", Command::cache_help},
      {{"cache", "stats", "--socket", ""}, "--socket: the path is empty", Command::cache_help},
      {{"cache", "stats", "--socket", "a", "--socket", "b"},
       "--socket is given more than once",
       Command::cache_help},
      {{"a\nb"}, "unknown command (\"a\")"},
  };
  for (const Case& c : cases) {
    const auto line = parse_command_line(c.arguments);
    ASSERT_FALSE(line.has_value()) << c.fault;
    EXPECT_EQ(line.error().text, c.fault);
    EXPECT_EQ(line.error().help, c.help) << c.fault;
  }
}

}  // namespace
}  // namespace sotto
