#include "app/help.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "app/cache_options.h"
#include "app/options.h"
#include "app/query/query_options.h"

namespace sotto {
namespace {

TEST(Help, ThePagesInDocAreUpToDate) {
  for (const GeneratedPage& page : generated_pages()) {
    std::ifstream file(std::string(SOTTO_DOC_FOLDER "/") + page.path);
    std::ostringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), page.text) << "run: cmake --build BUILD --target docs";
  }
}

TEST(Help, NamesEveryFlagAndVariable) {
  const std::string text = help_text();
  for (const Option& option : options()) {
    if (option.flag.empty()) continue;
    EXPECT_NE(text.find(std::string(option.flag) + " "), std::string::npos) << option.flag;
    EXPECT_NE(text.find(option.environment), std::string::npos) << option.environment;
  }
  for (const QueryFlag& flag : query_flags()) {
    EXPECT_NE(query_help_text().find(flag.flag), std::string::npos) << flag.flag;
  }
  for (const CacheFlag& flag : cache_flags()) {
    EXPECT_NE(cache_help_text().find(flag.flag), std::string::npos) << flag.flag;
  }
}

TEST(Help, FitsATerminal) {
  for (const std::string& text : {help_text(), query_help_text(), cache_help_text()}) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
}

}  // namespace
}  // namespace sotto
