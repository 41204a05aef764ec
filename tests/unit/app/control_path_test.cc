#include "app/control_path.h"

#include <gtest/gtest.h>
#include <map>

namespace sotto {
namespace {

TEST(ControlPath, FollowsTheRules) {
  struct Case {
    const char* reason;
    const char* socket;
    std::map<std::string, const char*> environment;
    bool root;
    const char* path;  // null: none
    bool automatic;
  };
  const Case cases[] = {
      {"a configured path goes first", "/a/s", {{"RUNTIME_DIRECTORY", "/r"}}, true, "/a/s", false},
      {"switched off", "", {{"RUNTIME_DIRECTORY", "/r"}}, true, nullptr, false},
      {"systemd's directory",
       "auto",
       {{"RUNTIME_DIRECTORY", "/run/x"}},
       true,
       "/run/x/control.socket",
       true},
      {"the first of several",
       "auto",
       {{"RUNTIME_DIRECTORY", "/run/x:/run/y"}},
       false,
       "/run/x/control.socket",
       true},
      {"root",
       "auto",
       {{"XDG_RUNTIME_DIR", "/run/user/0"}},
       true,
       "/run/sotto/control.socket",
       true},
      {"a user",
       "auto",
       {{"XDG_RUNTIME_DIR", "/run/user/7"}},
       false,
       "/run/user/7/sotto/control.socket",
       true},
      {"an empty variable is none",
       "auto",
       {{"RUNTIME_DIRECTORY", ""}, {"XDG_RUNTIME_DIR", "/run/user/7"}},
       false,
       "/run/user/7/sotto/control.socket",
       true},
      {"a relative directory is none", "auto", {{"XDG_RUNTIME_DIR", "tmp"}}, false, nullptr, true},
      {"nowhere", "auto", {}, false, nullptr, true},
  };
  for (const Case& c : cases) {
    const auto environment = [&](const char* name) -> const char* {
      const auto found = c.environment.find(name);
      return found == c.environment.end() ? nullptr : found->second;
    };
    const auto path = control_path({.socket = c.socket}, environment, c.root);
    ASSERT_EQ(path.has_value(), c.path != nullptr) << c.reason;
    if (!path) continue;
    EXPECT_EQ(path->path, c.path) << c.reason;
    EXPECT_EQ(path->automatic, c.automatic) << c.reason;
    const bool made_by_systemd = path->path.starts_with("/run/x/");
    EXPECT_EQ(path->make_directory, c.automatic && !made_by_systemd) << c.reason;
  }
}

}  // namespace
}  // namespace sotto
