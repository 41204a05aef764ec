// --help, the man pages and the manual's chapter on configuration: all made from the tables of
// options and flags. Test: tests/unit/app/help_test.cc compares doc/ with what is made here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sotto {

std::string_view version_number();  // "0.1.0"
std::string version_text();         // "sotto 0.1.0"
std::string help_text();            // sotto --help
std::string query_help_text();      // sotto query --help
std::string cache_help_text();      // sotto cache --help
std::string upstreams_help_text();  // sotto upstreams --help

struct GeneratedPage {
  std::string path;  // below doc/
  std::string text;
};

// man/sotto.1, man/sotto.toml.5, manual/configuration.md; the target docs writes them.
std::vector<GeneratedPage> generated_pages();

}  // namespace sotto
