#include "app/help.h"

#include <algorithm>

#include "app/help_words.h"

namespace sotto {

namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t term_columns = 24;  // terms that fit stand beside their text

// Words of text from column indent on, wrapped; starts in that column.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string out;
  std::size_t at = indent;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    if (at > indent && at + 1 + (end - begin) > columns) {
      out += "\n" + std::string(indent, ' ');
      at = indent;
    } else if (at > indent) {
      out += ' ';
      ++at;
    }
    out += text.substr(begin, end - begin);
    at += end - begin;
    begin = end + 1;
  }
  return out + "\n";
}

std::string section(const std::string& title, const std::vector<HelpRow>& rows) {
  std::string out = "\n" + title + ":\n";
  for (const HelpRow& row : rows) {
    out += "  " + row.term;
    const std::size_t used = row.term.size() + 2;
    out += used + 2 <= term_columns ? std::string(term_columns - used, ' ')
                                    : "\n" + std::string(term_columns, ' ');
    out += wrapped(row.text, term_columns);
  }
  return out;
}

}  // namespace

std::string_view version_number() {
  return SOTTO_VERSION;
}

std::string version_text() {
  return "sotto " SOTTO_VERSION;
}

std::string help_text() {
  return version_text() + " - encrypted-DNS forwarder\n\n" +
         wrapped(
             "Answers DNS over UDP, TCP, TLS and HTTPS by asking resolvers over authenticated TLS; "
             "nothing leaves unencrypted. Without any configuration it listens on 127.0.0.1:5053 "
             "and [::1]:5053 over UDP and TCP, and asks Cloudflare, then Quad9.",
             0) +
         section("Usage", command_rows()) + section("Options", config_flag_rows()) +
         section("Environment (the command line goes first, the file comes after)",
                 environment_rows()) +
         section("Exit codes", exit_code_rows()) + section("Examples", example_rows()) +
         "\nManual pages: sotto(1), sotto.toml(5).\n";
}

std::string query_help_text() {
  return "sotto query - ask one question and show the answer\n\n"
         "Usage: sotto query [@SERVER] NAME [TYPE] [OPTIONS]\n\n" +
         wrapped(std::string(query_words_help), 0) + section("Options", query_flag_rows()) +
         section("Exit codes", query_exit_code_rows()) + section("Examples", query_example_rows());
}

std::string cache_help_text() {
  return "sotto cache - forget or show what the running sotto keeps\n\n" +
         wrapped(std::string(cache_words_help), 0) + section("Usage", cache_command_rows()) +
         section("Options", cache_flag_rows()) + section("Exit codes", cache_exit_code_rows()) +
         section("Examples", cache_example_rows());
}

std::string upstreams_help_text() {
  return "sotto upstreams - show what the running sotto knows of its upstreams\n\n"
         "Usage: sotto upstreams [OPTIONS]\n\n" +
         wrapped(std::string(upstreams_words_help), 0) + section("Options", upstreams_flag_rows()) +
         section("Exit codes", upstreams_exit_code_rows()) +
         section("Examples", upstreams_example_rows());
}

}  // namespace sotto
